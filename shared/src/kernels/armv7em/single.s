@ Single output pixels of a dense layer of any kernel, four output channels at a time: what the kernels for whole blocks
@ leave over, fully connected layers, and shapes without a kernel of their own.
@
@ The sums and their segments are those of conv3.s, for one pixel.
@
@ r0: segments, weights, channels, out, plane, pitch, table, columns (a word each)
@   segments  {inner loop, bytes of weights, what follows, input}: what follows is doppel_single_segment,
@             doppel_single_carry or, the last one, doppel_single_finish; whole pairs of input channels
@   weights   of the group: [segment][pair][column] of the words (256 b + a), (256 d + c)
@   channels  {multiplier, offset} of the group's four channels
@   out       the first channel's byte, `plane` bytes from one channel to the next one
@   pitch     bytes from behind one pair's last column to the next pair's first one
@   table     or 0
@   columns   of the kernel

    .equ    SG_PLANE, 0
    .equ    SG_PITCH, 4
    .equ    SG_TABLE, 8
    .equ    SG_COLUMNS, 12
    .equ    SG_AFTER, 16        @ what follows the segment
    .equ    SG_B, 20            @ B of the first pair, of the second pair
    .equ    SG_NEXT, 28         @ the segment that follows
    .equ    SG_CHANNELS, 32
    .equ    SG_OUT, 36
    .equ    SG_FRAME, 40

@ In the sums: first pair S r0, A r1; second pair S r2, A r3; w r4-r7, x r8 r9; pitch r10, end of the weights r11, weights
@ r12, input lr.

    .macro  SG_COLUMN x, wab, wcd
    smlad   r0, \x, \wab, r0
    smlad   r2, \x, \wcd, r2
    sxtb16  \wab, \wab
    sxtb16  \wcd, \wcd
    smlad   r1, \x, \wab, r1
    smlad   r3, \x, \wcd, r3
    .endm

@ B += (S - A) >> 8, S = A.
    .macro  SG_EXTRACT
    ldrd    r4, r5, [sp, #SG_B]
    sub     r0, r0, r1
    sub     r2, r2, r3
    add     r4, r4, r0, asr #8
    add     r5, r5, r2, asr #8
    strd    r4, r5, [sp, #SG_B]
    mov     r0, r1
    mov     r2, r3
    .endm

@ One column, the pitch between pairs: two pairs a round.
FUNCTION doppel_single_1
    ldm     r12!, {r4-r7}
    ldr     r8, [lr], #4
    add     lr, lr, r10
    ldr     r9, [lr], #4
    add     lr, lr, r10
    SG_COLUMN r8, r4, r5
    SG_COLUMN r9, r6, r7
    cmp     r12, r11
    bne     doppel_single_1
    ldr     pc, [sp, #SG_AFTER]

@ Pairs without a gap, any number of them: cut here, so that a segment may be a whole row.
    .equ    SG_CUT, 1024        @ bytes of weights between two extractions of B
FUNCTION doppel_single_flat
    mov     r10, r11            @ the end of the segment; r11 the end of this part
1:  add     r11, r12, #SG_CUT
    cmp     r11, r10
    it      hi
    movhi   r11, r10
    sub     r4, r11, r12
    tst     r4, #16             @ pairs in fours, or two more
    bne     3f
2:  ldm     r12!, {r4-r7}
    ldm     lr!, {r8, r9}
    SG_COLUMN r8, r4, r5
    SG_COLUMN r9, r6, r7
3:  ldm     r12!, {r4-r7}
    ldm     lr!, {r8, r9}
    SG_COLUMN r8, r4, r5
    SG_COLUMN r9, r6, r7
    cmp     r12, r11
    bne     2b
    cmp     r11, r10
    it      eq
    ldreq   pc, [sp, #SG_AFTER]
    SG_EXTRACT
    b       1b

@ Three columns.
FUNCTION doppel_single_3
    ldm     r12!, {r4-r7}
    ldm     lr!, {r8, r9}
    SG_COLUMN r8, r4, r5
    SG_COLUMN r9, r6, r7
    ldm     r12!, {r4-r5}
    ldr     r8, [lr], #4
    SG_COLUMN r8, r4, r5
    add     lr, lr, r10
    cmp     r12, r11
    bne     doppel_single_3
    ldr     pc, [sp, #SG_AFTER]

@ Any number of columns.
FUNCTION doppel_single_any
    ldr     r9, [sp, #SG_COLUMNS]
1:  ldm     r12!, {r4-r5}
    ldr     r8, [lr], #4
    SG_COLUMN r8, r4, r5
    subs    r9, r9, #1
    bne     1b
    add     lr, lr, r10
    cmp     r12, r11
    bne     doppel_single_any
    ldr     pc, [sp, #SG_AFTER]

FUNCTION doppel_single
    push    {r4-r11, lr}
    sub     sp, sp, #SG_FRAME
    ldm     r0, {r1-r8}         @ segments, weights, channels, out, plane, pitch, table, columns
    strd    r5, r6, [sp, #SG_PLANE]
    strd    r7, r8, [sp, #SG_TABLE]
    strd    r3, r4, [sp, #SG_CHANNELS]
    mov     r12, r2
    mov     r9, r1
    mov     r10, r6
    mov     r0, #0
    mov     r1, #0
    mov     r2, #0
    mov     r3, #0
    strd    r0, r1, [sp, #SG_B]
    b       sg_begin
    LABEL   doppel_single_carry
    SG_EXTRACT
    LABEL   doppel_single_segment
    ldr     r9, [sp, #SG_NEXT]
sg_begin:
    ldm     r9!, {r4, r5, r6, lr}
    str     r9, [sp, #SG_NEXT]
    str     r6, [sp, #SG_AFTER]
    add     r11, r12, r5
    bx      r4

    .macro  SG_CHANNEL p
    ldrd    r4, r5, [r12], #8
    SCALE   \p, r4, r5, r8
    BYTE    \p
    .endm

    LABEL   doppel_single_finish
    ldrd    r4, r5, [sp, #SG_B]
    sub     r0, r0, r1
    sub     r2, r2, r3
    add     r0, r4, r0, asr #8
    add     r2, r5, r2, asr #8
    ldr     r6, [sp, #SG_PLANE]
    ldr     r7, [sp, #SG_TABLE]
    ldrd    r12, lr, [sp, #SG_CHANNELS]
    SG_CHANNEL r1
    SG_CHANNEL r0
    SG_CHANNEL r3
    SG_CHANNEL r2
    cbz     r7, 1f
    ldrb    r1, [r7, r1]
    ldrb    r0, [r7, r0]
    ldrb    r3, [r7, r3]
    ldrb    r2, [r7, r2]
1:  strb    r1, [lr]
    add     r1, lr, r6, lsl #1
    strb    r0, [lr, r6]
    strb    r3, [r1]
    strb    r2, [r1, r6]
    add     sp, sp, #SG_FRAME
    pop     {r4-r11, pc}
