@ Distances of int8 vectors.

@ The squared distance of `len` elements, a multiple of sixteen, at least 16.
@ r0 elements; r1 the other vector, negated and widened: for each four elements the words (-b0, -b2), (-b1, -b3); r2 len
@ -> r0
    .macro  DS_FOUR element, b02, b13
    sxtab16 \b02, \b02, \element
    sxtab16 \b13, \b13, \element, ror #8
    smlad   r12, \b02, \b02, r12
    smlad   r12, \b13, \b13, r12
    .endm

FUNCTION doppel_squared_distance
    push    {r4-r9, lr}
    mov     r12, #0
    add     r2, r2, r0
1:  ldr     r3, [r0], #4
    ldr     r4, [r0], #4
    ldr     r5, [r0], #4
    ldr     r6, [r0], #4
    ldm     r1!, {r7, r8, r9, lr}
    DS_FOUR r3, r7, r8
    DS_FOUR r4, r9, lr
    ldm     r1!, {r7, r8, r9, lr}
    DS_FOUR r5, r7, r8
    DS_FOUR r6, r9, lr
    cmp     r0, r2
    bne     1b
    mov     r0, r12
    pop     {r4-r9, pc}

FUNCTION doppel_kernels_end
    .text
