@ What every kernel file uses.

    .syntax unified
    .section .text.doppel_kernels, "ax", %progbits
    .thumb

    .macro  FUNCTION name
    .balign 4
    LABEL   \name
    .endm

@ A label whose address can be jumped to.
    .macro  LABEL name
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    .endm

@ sum -> product with everything added but the tie's bit: p = sum * multiplier + offset; p += bit 16 of p.
    .macro  SCALE sum, multiplier, offset, t
    mla     \sum, \sum, \multiplier, \offset
    ubfx    \t, \sum, #16, #1
    add     \sum, \sum, \t
    .endm

@ Saturates a scaled sum to a byte; with a table, looks it up.
    .macro  BYTE p
    usat    \p, #8, \p, asr #16
    .endm
    .macro  LOOK_UP p, table
    usat    \p, #8, \p, asr #16
    ldrb    \p, [\table, \p]
    .endm

@ Eight, four columns at r8 to halfwords at r12, both moved on.
    .macro  WD_EIGHT
    ldr     r5, [r8], #4
    ldr     r7, [r8], #4
    uxtb16  r6, r5              @ columns 0 and 2
    uxtb16  r5, r5, ror #8      @ 1 and 3
    pkhbt   r11, r6, r5, lsl #16
    pkhtb   r6, r5, r6, asr #16
    str     r11, [r12], #4
    str     r6, [r12], #4
    uxtb16  r6, r7
    uxtb16  r7, r7, ror #8
    pkhbt   r11, r6, r7, lsl #16
    pkhtb   r6, r7, r6, asr #16
    str     r11, [r12], #4
    str     r6, [r12], #4
    .endm
    .macro  WD_FOUR_OF_PLANE
    ldr     r5, [r8], #4
    uxtb16  r6, r5
    uxtb16  r5, r5, ror #8
    pkhbt   r11, r6, r5, lsl #16
    pkhtb   r6, r5, r6, asr #16
    str     r11, [r12], #4
    str     r6, [r12], #4
    .endm

@ Rows of bytes at r0, of r1 >= 4 columns, r2 of them, to halfwords at r3, r4 bytes from row to row. The last eight (or four)
@ columns of a row may overlap those before. `label` is a number that no label around has, nor the next two.
    .macro  WD_ROWS label
    subs    r9, r1, #8
    blo     \label\()2f
    add     r10, r3, r9, lsl #1     @ where the last eight columns go
\label\()0:
    add     lr, r0, r9              @ where they come from
    mov     r8, r0
    mov     r12, r3
\label\()1:
    WD_EIGHT
    cmp     r8, lr
    blo     \label\()1b
    mov     r8, lr
    mov     r12, r10
    WD_EIGHT
    add     r0, r0, r1
    add     r3, r3, r4
    add     r10, r10, r4
    subs    r2, r2, #1
    bne     \label\()0b
    b       \label\()3f
\label\()2:
    add     r9, r9, #4
    mov     r8, r0
    mov     r12, r3
    WD_FOUR_OF_PLANE
    add     r8, r0, r9
    add     r12, r3, r9, lsl #1
    WD_FOUR_OF_PLANE
    add     r0, r0, r1
    add     r3, r3, r4
    sub     r9, r9, #4
    subs    r2, r2, #1
    bne     \label\()2b
\label\()3:
    .endm

FUNCTION doppel_kernels_start
