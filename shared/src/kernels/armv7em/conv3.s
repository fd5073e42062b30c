@ Pairs of pixels of one output row of a convolution three columns wide, four output channels at a time.
@
@ The sums are those of pointwise.s, two channel pairs (a, b) and (c, d) for each of two pixels. They are cut into segments of
@ at most 256 products, after which B += (S - A) >> 8 and S = A: exact whatever the weights, 256 * 127 * 255 < 2^23.
@
@ r0: segments, weights, channels, out, plane, blocks, step, pitch, table (a word each)
@   segments  {inner loop, bytes of weights, what follows, input}: of one input row, from the first pixel's window; what
@             follows is doppel_conv3_segment, doppel_conv3_carry or, the last one, doppel_conv3_finish or _finish_table
@   weights   of the group: [segment][pair][column] of the words (256 b + a), (256 d + c)
@   channels  {multiplier, offset} of the group's four channels
@   out       first pixel of the first channel, `plane` bytes from one channel to the next one
@   blocks    of two pixels, at least 1
@   step      bytes of input from one block to the next one
@   pitch     bytes from one pair of input channels to the next one, read by the loops for any pitch
@   table     or 0

@ Frame:
    .equ    C3_NEXT, 0          @ the segment that follows
    .equ    C3_PITCH, 4
    .equ    C3_END, 8           @ the end of the segment's weights
    .equ    C3_AFTER, 12        @ what follows the segment
    .equ    C3_INPUT, 16        @ bytes of input before this block
    .equ    C3_OUT, 20
    .equ    C3_B, 24            @ B of the first pair for both pixels, then of the second pair
    .equ    C3_SEGMENTS, 40
    .equ    C3_WEIGHTS, 44
    .equ    C3_CHANNELS, 48
    .equ    C3_PLANE, 52
    .equ    C3_BLOCKS, 56
    .equ    C3_STEP, 60
    .equ    C3_TABLE, 64
    .equ    C3_FRAME, 68

@ In the sums: first pair S r0 r1 (of pixels 0, 1), A r2 r3; second pair S r4 r5, A r6 r7; w r8 r9, x r10 r11; weights r12,
@ input lr.

@ The products of one column: x of pixel 0 in `x0`, of pixel 1 in `x1`.
    .macro  C3_COLUMN x0, x1
    smlad   r0, \x0, r8, r0
    smlad   r1, \x1, r8, r1
    smlad   r4, \x0, r9, r4
    smlad   r5, \x1, r9, r5
    sxtb16  r8, r8
    sxtb16  r9, r9
    smlad   r2, \x0, r8, r2
    smlad   r3, \x1, r8, r3
    smlad   r6, \x0, r9, r6
    smlad   r7, \x1, r9, r7
    .endm

@ The products of one input pair, stride 1; `advance` is the pitch where the loop knows it, 0 where it adds it itself.
    .macro  C3_PAIR_STRIDE1 advance
    ldrd    r8, r9, [r12], #24
    ldrd    r10, r11, [lr], #\advance
    C3_COLUMN r10, r11
    ldrd    r8, r9, [r12, #-16]
    ldr     r10, [lr, #8 - \advance]
    C3_COLUMN r11, r10
    ldrd    r8, r9, [r12, #-8]
    ldr     r11, [lr, #12 - \advance]
    C3_COLUMN r10, r11
    .endm

@ The same, stride 2: the outer columns first, which share an element.
    .macro  C3_PAIR_STRIDE2 advance
    ldrd    r8, r9, [r12], #24
    ldr     r11, [lr, #8]
    ldr     r10, [lr], #\advance
    C3_COLUMN r10, r11
    ldrd    r8, r9, [r12, #-8]
    ldr     r10, [lr, #16 - \advance]
    C3_COLUMN r11, r10
    ldrd    r8, r9, [r12, #-16]
    ldr     r10, [lr, #4 - \advance]
    ldr     r11, [lr, #12 - \advance]
    C3_COLUMN r10, r11
    .endm

@ An inner loop for a known pitch, four pairs a round; `name` for pairs in fours, `name`_half enters for two more.
    .macro  C3_LOOP name, pair, pitch
FUNCTION \name
    \pair   \pitch
    \pair   \pitch
    LABEL   \name\()_half
    \pair   \pitch
    \pair   \pitch
    ldr     r8, [sp, #C3_END]
    cmp     r12, r8
    bne.w   \name
    ldr     pc, [sp, #C3_AFTER]
    .endm

@ An inner loop for any pitch, two pairs a round.
    .macro  C3_LOOP_ANY name, pair
FUNCTION \name
    .rept   2
    \pair   0
    ldr     r8, [sp, #C3_PITCH]
    add     lr, lr, r8
    .endr
    ldr     r8, [sp, #C3_END]
    cmp     r12, r8
    bne.w   \name
    ldr     pc, [sp, #C3_AFTER]
    .endm

    C3_LOOP doppel_conv3_stride1_pitch16, C3_PAIR_STRIDE1, 64
    C3_LOOP doppel_conv3_stride1_pitch32, C3_PAIR_STRIDE1, 128
    C3_LOOP doppel_conv3_stride2_pitch16, C3_PAIR_STRIDE2, 64
    C3_LOOP doppel_conv3_stride2_pitch32, C3_PAIR_STRIDE2, 128
    C3_LOOP_ANY doppel_conv3_stride1, C3_PAIR_STRIDE1
    C3_LOOP_ANY doppel_conv3_stride2, C3_PAIR_STRIDE2

FUNCTION doppel_conv3
    push    {r4-r11, lr}
    sub     sp, sp, #C3_FRAME
    ldm     r0!, {r1-r8}        @ segments, weights, channels, out, plane, blocks, step, pitch
    ldr     r9, [r0]            @ table
    strd    r1, r2, [sp, #C3_SEGMENTS]
    strd    r3, r5, [sp, #C3_CHANNELS]
    strd    r6, r7, [sp, #C3_BLOCKS]
    str     r9, [sp, #C3_TABLE]
    str     r8, [sp, #C3_PITCH]
    mov     r3, #0
    strd    r3, r4, [sp, #C3_INPUT]
c3_block:
    ldrd    r10, r12, [sp, #C3_SEGMENTS]
    mov     r0, #0
    mov     r1, #0
    mov     r2, #0
    mov     r3, #0
    mov     r4, #0
    mov     r5, #0
    mov     r6, #0
    mov     r7, #0
    strd    r0, r1, [sp, #C3_B]
    strd    r0, r1, [sp, #C3_B + 8]
    b       c3_begin
    LABEL   doppel_conv3_carry
    ldrd    r8, r9, [sp, #C3_B]
    ldrd    r10, r11, [sp, #C3_B + 8]
    sub     r0, r0, r2
    sub     r1, r1, r3
    sub     r4, r4, r6
    sub     r5, r5, r7
    add     r8, r8, r0, asr #8
    add     r9, r9, r1, asr #8
    add     r10, r10, r4, asr #8
    add     r11, r11, r5, asr #8
    strd    r8, r9, [sp, #C3_B]
    strd    r10, r11, [sp, #C3_B + 8]
    mov     r0, r2
    mov     r1, r3
    mov     r4, r6
    mov     r5, r7
    LABEL   doppel_conv3_segment
    ldr     r10, [sp, #C3_NEXT]
c3_begin:
    ldm     r10!, {r8, r9, r11, lr}
    str     r10, [sp, #C3_NEXT]
    ldr     r10, [sp, #C3_INPUT]
    add     r9, r9, r12
    strd    r9, r11, [sp, #C3_END]
    add     lr, lr, r10
    bx      r8

@ Two sums of the channel at r12 -> scaled; `t` is lost.
    .macro  C3_SCALE p0, p1, t
    ldrd    r8, r9, [r12], #8
    SCALE   \p0, r8, r9, \t
    SCALE   \p1, r8, r9, \t
    .endm

@ Two scaled sums -> two bytes at r10, which moves on to the next plane.
    .macro  C3_STORE p0, p1
    BYTE    \p0
    BYTE    \p1
    strb    \p0, [r10]
    strb    \p1, [r10, #1]
    add     r10, r10, lr
    .endm
    .macro  C3_STORE_BY_TABLE p0, p1
    LOOK_UP \p0, r11
    LOOK_UP \p1, r11
    strb    \p0, [r10]
    strb    \p1, [r10, #1]
    add     r10, r10, lr
    .endm

@ The four sums B in place of S.
    .macro  C3_SPLIT
    ldrd    r8, r9, [sp, #C3_B]
    ldrd    r10, r11, [sp, #C3_B + 8]
    sub     r0, r0, r2
    sub     r1, r1, r3
    sub     r4, r4, r6
    sub     r5, r5, r7
    add     r0, r8, r0, asr #8
    add     r1, r9, r1, asr #8
    add     r4, r10, r4, asr #8
    add     r5, r11, r5, asr #8
    .endm

    LABEL   doppel_conv3_finish
    C3_SPLIT
    ldrd    r12, lr, [sp, #C3_CHANNELS]
    ldr     r10, [sp, #C3_OUT]
    C3_SCALE r2, r3, r11
    C3_STORE r2, r3
    C3_SCALE r0, r1, r11
    C3_STORE r0, r1
    C3_SCALE r6, r7, r11
    C3_STORE r6, r7
    C3_SCALE r4, r5, r11
    C3_STORE r4, r5
c3_next_block:
    ldrd    r0, r1, [sp, #C3_INPUT]
    ldrd    r2, r3, [sp, #C3_BLOCKS]
    add     r0, r0, r3
    add     r1, r1, #2
    strd    r0, r1, [sp, #C3_INPUT]
    subs    r2, r2, #1
    str     r2, [sp, #C3_BLOCKS]
    bne.w   c3_block
    add     sp, sp, #C3_FRAME
    pop     {r4-r11, pc}

    LABEL   doppel_conv3_finish_table
    C3_SPLIT
    ldrd    r12, lr, [sp, #C3_CHANNELS]
    ldr     r10, [sp, #C3_OUT]
    C3_SCALE r2, r3, r11
    ldr     r11, [sp, #C3_TABLE]
    C3_STORE_BY_TABLE r2, r3
    C3_SCALE r0, r1, r2
    C3_STORE_BY_TABLE r0, r1
    C3_SCALE r6, r7, r2
    C3_STORE_BY_TABLE r6, r7
    C3_SCALE r4, r5, r2
    C3_STORE_BY_TABLE r4, r5
    b       c3_next_block
