@ Bytes to halfwords.

@ Rows of plane pairs side by side.
@ r0: bytes, plane, pairs, columns, wide, pitch (a word each)
@   bytes     the even channels' row; `plane` bytes on, the odd channels'
@   pairs     at least 1;   columns   at least 4
@   wide      [pair][column] of (even, odd) halfwords, `pitch` bytes from one pair to the next one

@ Four columns at r10 (even) and r11 (odd) -> four words at r12, all three moved on.
    .macro  WD_FOUR
    ldr     r6, [r10], #4
    ldr     r7, [r11], #4
    uxtb16  r4, r6                  @ even channel, columns 0 and 2
    uxtb16  r6, r6, ror #8          @ 1 and 3
    uxtb16  r5, r7                  @ odd channel
    uxtb16  r7, r7, ror #8
    pkhbt   r8, r4, r5, lsl #16
    pkhbt   r9, r6, r7, lsl #16
    pkhtb   r4, r5, r4, asr #16
    pkhtb   r5, r7, r6, asr #16
    strd    r8, r9, [r12], #8
    strd    r4, r5, [r12], #8
    .endm

FUNCTION doppel_interleave
    push    {r4-r11, lr}
    ldm     r0, {r0-r5}         @ bytes, plane, pairs, columns, wide, pitch
    push    {r4, r5}
    sub     r3, r3, #4          @ the last four columns may overlap those before
1:  ldr     r12, [sp]
    add     r11, r0, r1
    mov     r10, r0
    add     lr, r0, r3          @ the last four columns
    b       3f
2:  WD_FOUR
3:  cmp     r10, lr
    blo     2b
    sub     r4, r10, lr         @ back by what is already done
    sub     r10, r10, r4
    sub     r11, r11, r4
    sub     r12, r12, r4, lsl #2
    WD_FOUR
    ldrd    r4, r5, [sp]
    add     r0, r0, r1, lsl #1
    add     r4, r4, r5
    str     r4, [sp]
    subs    r2, r2, #1
    bne     1b
    add     sp, sp, #8
    pop     {r4-r11, pc}

@ Rows of one plane.
@ r0: bytes, columns, rows, wide, pitch (a word each)
@   bytes     rows without gaps;   columns   at least 4;   rows   at least 1
@   wide      halfwords, `pitch` bytes from one row to the next one

FUNCTION doppel_widen_rows
    push    {r4-r11, lr}
    ldm     r0, {r0-r4}         @ bytes, columns, rows, wide, pitch
    WD_ROWS 9
    pop     {r4-r11, pc}
