@ The first of many int8 vectors whose dot product with another reaches its bar, 16 elements at a time.
@ r0: the words from DS_PROBE to DS_PROBE_END
@ returns behind the vector in r0, 0 where there is none, and by how much it reaches the bar in r1

    .equ    DS_PROBE, 0         @ the other vector, widened: for each four elements (b0, b2), (b1, b3)
    .equ    DS_SLOPE, 4         @ of the bar, -offset - floor(key * slope / 2^32)
    .equ    DS_OFFSET, 8
    .equ    DS_LAST, 12         @ behind the last vector
    .equ    DS_ENTRY, 16        @ where the unrolled body is entered
    .equ    DS_ROWS, 20         @ the first vector, aligned to four; each is as long as the other vector, a multiple of 16
    .equ    DS_KEYS, 24         @ one of each vector
    .equ    DS_PROBE_END, 28

@ Four elements: two instructions widen them, two multiply and add.
    .macro  DS_FOUR element, b02, b13
    sxtb16  r2, \element
    sxtb16  \element, \element, ror #8
    smlad   r12, r2, \b02, r12
    smlad   r12, \element, \b13, r12
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

FUNCTION doppel_first_reaching
    push    {r4-r11, lr}
    ldm     r0, {r1-r7, r10}
    push    {r1-r5}
    mov     r0, r6
    mov     r11, r7
    b       ds_vector
    LABEL   doppel_first_reaching_64
    DS_SIXTEEN
    LABEL   doppel_first_reaching_48
    DS_SIXTEEN
    LABEL   doppel_first_reaching_32
    DS_SIXTEEN
    LABEL   doppel_first_reaching_16
    DS_SIXTEEN
    cmp     r1, r10
    bne.w   doppel_first_reaching_64
    cmp     r12, #0
    bge     ds_return
ds_vector:
    ldm     sp, {r1-r5}
    cmp     r0, r4
    beq     ds_none
    ldr     r12, [r11], #4
    smmla   r12, r12, r2, r3
    bx      r5
ds_none:
    movs    r0, #0
ds_return:
    mov     r1, r12
    add     sp, sp, #20
    pop     {r4-r11, pc}

FUNCTION doppel_kernels_end
    .text
