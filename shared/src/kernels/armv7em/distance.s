@ The squared distance of int8 vectors, 16 elements at a time.
@ r0 one vector, aligned to four; r1 the other one, negated and widened: for each four elements the words (-b0, -b2),
@ (-b1, -b3); r2 the end of the first vector; r3 where the unrolled body is entered -> r0

@ Four elements; difference and square take an instruction each for two of them.
    .macro  DS_FOUR element, b02, b13
    sxtab16 \b02, \b02, \element
    sxtab16 \b13, \b13, \element, ror #8
    smlad   r12, \b02, \b02, r12
    smlad   r12, \b13, \b13, r12
    .endm

    .macro  DS_SIXTEEN
    ldm     r0!, {r3-r6}
    ldm     r1!, {r7, r8, r9, lr}
    DS_FOUR r3, r7, r8
    DS_FOUR r4, r9, lr
    ldm     r1!, {r7, r8, r9, lr}
    DS_FOUR r5, r7, r8
    DS_FOUR r6, r9, lr
    .endm

FUNCTION doppel_squared_distance
    push    {r4-r9, lr}
    mov     r12, #0
    bx      r3
    LABEL   doppel_squared_distance_64
    DS_SIXTEEN
    LABEL   doppel_squared_distance_48
    DS_SIXTEEN
    LABEL   doppel_squared_distance_32
    DS_SIXTEEN
    LABEL   doppel_squared_distance_16
    DS_SIXTEEN
    cmp     r0, r2
    bne.w   doppel_squared_distance_64
    mov     r0, r12
    pop     {r4-r9, pc}

FUNCTION doppel_kernels_end
    .text
