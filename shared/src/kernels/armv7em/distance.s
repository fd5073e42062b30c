@ The nearest two of many int8 vectors, by squared distance, 16 elements at a time.
@ r0: the words of the frame from DS_SECOND to DS_ENTRY; the first three are written back at the end

    .equ    DS_BEST, 0          @ the smallest distance; all ones at first
    .equ    DS_SECOND, 4        @ the one after it; all ones at first
    .equ    DS_FOUND, 8         @ behind the vector with the smallest one
    .equ    DS_SKIP, 12         @ bytes from behind one vector to the next one
    .equ    DS_LAST, 16         @ behind the last one, with what is skipped
    .equ    DS_PROBE, 20        @ the other vector, negated and widened: for each four elements (-b0, -b2), (-b1, -b3)
    .equ    DS_ROWS, 24         @ the first vector, aligned to four, as all of them are
    .equ    DS_LEN, 28          @ of each, a multiple of 16
    .equ    DS_ENTRY, 32        @ where the unrolled body is entered
    .equ    DS_WORK, 36         @ r0

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

FUNCTION doppel_nearest
    push    {r4-r11, lr}
    push    {r0}
    ldm     r0, {r1-r9}
    push    {r1-r9}
    mov     r0, r7
    mov     r10, r8
    mov     r11, r9
ds_vector:
    ldr     r1, [sp, #DS_PROBE]
    mov     r12, #0
    add     r2, r0, r10
    bx      r11
    LABEL   doppel_nearest_64
    DS_SIXTEEN
    LABEL   doppel_nearest_48
    DS_SIXTEEN
    LABEL   doppel_nearest_32
    DS_SIXTEEN
    LABEL   doppel_nearest_16
    DS_SIXTEEN
    cmp     r0, r2
    bne.w   doppel_nearest_64
    ldr     r3, [sp, #DS_SECOND]
    cmp     r12, r3
    blo     ds_nearer
ds_next:
    ldrd    r3, r4, [sp, #DS_SKIP]          @ r4 = last
    add     r0, r0, r3
    cmp     r0, r4
    bne     ds_vector
    pop     {r1-r9, r12}
    stm     r12, {r1-r3}
    pop     {r4-r11, pc}
ds_nearer:
    ldr     r4, [sp, #DS_BEST]
    cmp     r12, r4
    ite     lo
    strdlo  r12, r4, [sp, #DS_BEST]
    strhs   r12, [sp, #DS_SECOND]
    it      lo
    strlo   r0, [sp, #DS_FOUND]
    b       ds_next

FUNCTION doppel_kernels_end
    .text
