@ Bytes to halfwords.

@ Rows of plane pairs side by side.
@ r0: bytes, plane, pairs, columns, wide, pitch (a word each)
@   bytes     the even channels' row; `plane` bytes on, the odd channels', the same one where that is 0
@   pairs, columns   at least 1
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
    subs    r3, r3, #4          @ the last four columns may overlap those before
    blo     4f
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
@ Fewer than four.
4:  adds    r3, r3, #4
5:  mov     r12, r4
    mov     r10, r0
    mov     r7, r3
6:  ldrb    r8, [r10, r1]
    ldrb    r6, [r10], #1
    orr     r6, r6, r8, lsl #16
    str     r6, [r12], #4
    subs    r7, r7, #1
    bne     6b
    add     r0, r0, r1, lsl #1
    add     r4, r4, r5
    subs    r2, r2, #1
    bne     5b
    add     sp, sp, #8
    pop     {r4-r11, pc}

@ Rows of one plane.
@ r0: bytes, columns, rows, wide, gap (a word each)
@   bytes     rows without gaps;   columns, rows   at least 1
@   wide      halfwords, `gap` bytes from behind a row to the next one

FUNCTION doppel_widen_rows
    push    {r4-r7, lr}
    ldm     r0, {r0-r4}
    bl      wd_rows
    pop     {r4-r7, pc}

@ The same with its arguments in r0 to r4; r5 to r7 and r12 are lost.
    .macro  WD_FOUR_OF_PLANE
    ldr     r5, [r0], #4
    uxtb16  r6, r5              @ columns 0 and 2
    uxtb16  r5, r5, ror #8      @ 1 and 3
    pkhbt   r7, r6, r5, lsl #16
    pkhtb   r6, r5, r6, asr #16
    str     r7, [r3], #4
    str     r6, [r3], #4
    .endm

wd_rows:
    subs    r12, r1, #4         @ the last four columns may overlap those before
    blo     4f
    add     r12, r12, r0
    b       2f
1:  WD_FOUR_OF_PLANE
2:  cmp     r0, r12
    blo     1b
    subs    r5, r0, r12         @ back by what is already done
    mov     r0, r12
    sub     r3, r3, r5, lsl #1
    WD_FOUR_OF_PLANE
    add     r12, r12, r1
    adds    r3, r3, r4
    subs    r2, r2, #1
    bne     2b
    bx      lr
@ Fewer than four.
4:  mov     r5, r1
5:  ldrb    r6, [r0], #1
    strh    r6, [r3], #2
    subs    r5, r5, #1
    bne     5b
    adds    r3, r3, r4
    subs    r2, r2, #1
    bne     4b
    bx      lr
