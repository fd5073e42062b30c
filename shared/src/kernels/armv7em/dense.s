@ Dense layers of any kernel: blocks of four output channels and one or two output pixels.
@
@ The sums are those of pointwise.s, two channel pairs (a, b) and (c, d) for each pixel. They are cut into parts of at most 256
@ products, after which B += (S - A) >> 8 and S = A: exact whatever the weights, 256 * 127 * 255 < 2^23.
@
@ r0: the words of the frame from DN_GAP to DN_PLANE

    .equ    DN_ROW, 0           @ the row that follows
    .equ    DN_ROW_END, 4       @ the end of the row's weights
    .equ    DN_SUMS, 8          @ of channels a to d, for both pixels; before the end of the sums b's and d's B
    .equ    DN_CHANNELS, 40     @ of these four channels: their own ...
    .equ    DN_OUT, 44          @ ... their output ...
    .equ    DN_LEFT, 48         @ ... and how many are left with them
    .equ    DN_PART_END, 52     @ the end of the part's weights
    .equ    DN_GAP, 56          @ bytes of input: the loops of two pixels add it from one pair of input channels to the next
                                @ one, those of one pixel from behind a pair's last column
    .equ    DN_LOOP, 60         @ one of the inner loops
    .equ    DN_PART_LEN, 64     @ bytes of weights of a part, at most 1024
    .equ    DN_ROWS_END, 68
    .equ    DN_ROWS, 72         @ pointers to the input rows under the kernel, from the first pixel's window
    .equ    DN_ROW_LEN, 76      @ bytes of weights of a row of the kernel
    .equ    DN_INPUT, 80        @ bytes of input before this block
    .equ    DN_STEP, 84         @ from one block to the next one
    .equ    DN_BLOCKS, 88       @ left, at least 1
    .equ    DN_SIZE, 92         @ pixels of a block: 1 or 2
    .equ    DN_OUT_0, 96        @ the block's first pixel of the first channel
    .equ    DN_OUTPUTS, 100     @ channels, at least 1
    .equ    DN_WEIGHTS, 104     @ [four channels][row][pair][column] of the words (256 b + a), (256 d + c)
    .equ    DN_CHANNEL_0, 108   @ {multiplier, offset} of each channel
    .equ    DN_COLUMNS, 112     @ of the kernel
    .equ    DN_TABLE, 116       @ or 0
    .equ    DN_PLANE, 120       @ bytes of output from one channel to the next one
    .equ    DN_FRAME, 124

@ In the sums: channel a's A r0 r1 (of pixels 0, 1), S r2 r3; c's A r4 r5, S r6 r7; w r8 r9, x r10 r11; weights r12, input lr.

@ The products of one column: x of pixel 0 in `x0`, of pixel 1 in `x1`.
    .macro  DN_COLUMN x0, x1
    smlad   r2, \x0, r8, r2
    smlad   r3, \x1, r8, r3
    smlad   r6, \x0, r9, r6
    smlad   r7, \x1, r9, r7
    sxtb16  r8, r8
    sxtb16  r9, r9
    smlad   r0, \x0, r8, r0
    smlad   r1, \x1, r8, r1
    smlad   r4, \x0, r9, r4
    smlad   r5, \x1, r9, r5
    .endm

@ The products of one pair, three columns; at stride 2 the outer columns come first, which share an element.
    .macro  DN_PAIR_STRIDE1
    ldrd    r8, r9, [r12], #24
    ldrd    r10, r11, [lr]
    DN_COLUMN r10, r11
    ldrd    r8, r9, [r12, #-16]
    ldr     r10, [lr, #8]
    DN_COLUMN r11, r10
    ldrd    r8, r9, [r12, #-8]
    ldr     r11, [lr, #12]
    DN_COLUMN r10, r11
    .endm
    .macro  DN_PAIR_STRIDE2 advance=0       @ the distance to the next pair where the loop knows it
    ldrd    r8, r9, [r12], #24
    ldr     r11, [lr, #8]
    ldr     r10, [lr], #\advance
    DN_COLUMN r10, r11
    ldrd    r8, r9, [r12, #-8]
    ldr     r10, [lr, #16 - \advance]
    DN_COLUMN r11, r10
    ldrd    r8, r9, [r12, #-16]
    ldr     r10, [lr, #4 - \advance]
    ldr     r11, [lr, #12 - \advance]
    DN_COLUMN r10, r11
    .endm

@ The same for one pixel, sums r0 r2 r4 r6; w in `wab` and `wcd`.
    .macro  DN_SINGLE x, wab, wcd
    smlad   r2, \x, \wab, r2
    smlad   r6, \x, \wcd, r6
    sxtb16  \wab, \wab
    sxtb16  \wcd, \wcd
    smlad   r0, \x, \wab, r0
    smlad   r4, \x, \wcd, r4
    .endm
    .macro  DN_TWO_SINGLES
    ldm     r12!, {r8-r11}
    ldm     lr!, {r1, r3}
    DN_SINGLE r1, r8, r9
    DN_SINGLE r3, r10, r11
    .endm

@ Before the channels' sums go to bytes: sums r8 to lr, {multiplier, offset} r9, output r6, plane r7, table r5, channels left r11.
    .macro  DN_FINISH
    ldrd    r5, r7, [sp, #DN_TABLE]
    ldrd    r9, r6, [sp, #DN_CHANNELS]
    ldr     r11, [sp, #DN_LEFT]
    add     r8, sp, #DN_SUMS
    add     lr, r8, #32
    cmp     r11, #4
    it      lo
    addlo   lr, r8, r11, lsl #3
    .endm

@ Two pixels, three columns, stride 1.
FUNCTION doppel_dense_stride1
1:  DN_PAIR_STRIDE1
    ldrd    r8, r9, [sp, #DN_PART_END]      @ r9 = gap
    add     lr, lr, r9
    cmp     r12, r8
    bne     1b
    b       dn_pair_done

@ Stride 2.
FUNCTION doppel_dense_stride2
1:  DN_PAIR_STRIDE2
    ldrd    r8, r9, [sp, #DN_PART_END]
    add     lr, lr, r9
    cmp     r12, r8
    bne     1b
    b       dn_pair_done

@ Stride 2, the pitches of 16 and 32 columns, two pairs a round.
    .macro  DN_LOOP_STRIDE2 pitch
1:  DN_PAIR_STRIDE2 \pitch
    DN_PAIR_STRIDE2 \pitch
    ldr     r8, [sp, #DN_PART_END]
    cmp     r12, r8
    bne     1b
    b       dn_pair_done
    .endm
FUNCTION doppel_dense_stride2_pitch16
    DN_LOOP_STRIDE2 64
FUNCTION doppel_dense_stride2_pitch32
    DN_LOOP_STRIDE2 128

@ One pixel, one column, two pairs a round.
FUNCTION doppel_dense_single_1
    ldrd    r5, r7, [sp, #DN_PART_END]      @ r7 = gap
1:  ldm     r12!, {r8-r11}
    ldr     r1, [lr], #4
    add     lr, lr, r7
    ldr     r3, [lr], #4
    add     lr, lr, r7
    DN_SINGLE r1, r8, r9
    DN_SINGLE r3, r10, r11
    cmp     r12, r5
    bne     1b
    b       dn_single_done

@ Three columns.
FUNCTION doppel_dense_single_3
    ldrd    r5, r7, [sp, #DN_PART_END]
1:  DN_TWO_SINGLES
    ldm     r12!, {r8, r9}
    ldr     r1, [lr], #4
    DN_SINGLE r1, r8, r9
    add     lr, lr, r7
    cmp     r12, r5
    bne     1b
    b       dn_single_done

@ Any number of columns.
FUNCTION doppel_dense_single
    ldrd    r5, r7, [sp, #DN_PART_END]
1:  ldr     r3, [sp, #DN_COLUMNS]
2:  ldm     r12!, {r8, r9}
    ldr     r1, [lr], #4
    DN_SINGLE r1, r8, r9
    subs    r3, r3, #1
    bne     2b
    add     lr, lr, r7
    cmp     r12, r5
    bne     1b
    b       dn_single_done

@ Pairs without a gap, four a round.
FUNCTION doppel_dense_flat
    ldr     r5, [sp, #DN_PART_END]
    sub     r7, r5, r12
    lsls    r7, r7, #27                     @ two more than fours?
    bmi     2f
1:  DN_TWO_SINGLES
2:  DN_TWO_SINGLES
    cmp     r12, r5
    bne     1b


@ The end of a part: S to B, and on.
dn_single_done:
    ldr     r1, [sp, #DN_SUMS + 8]
    ldr     r3, [sp, #DN_SUMS + 24]
    subs    r2, r2, r0
    subs    r6, r6, r4
    add     r1, r1, r2, asr #8
    add     r3, r3, r6, asr #8
    str     r1, [sp, #DN_SUMS + 8]
    str     r3, [sp, #DN_SUMS + 24]
    ldrd    r10, r9, [sp, #DN_ROW]          @ r9 = the row's end
    mov     r2, r0
    mov     r6, r4
    cmp     r12, r9
    bne     dn_part
    ldr     r8, [sp, #DN_ROWS_END]
    cmp     r10, r8
    bne     dn_row
    str     r0, [sp, #DN_SUMS]
    str     r4, [sp, #DN_SUMS + 16]
    DN_FINISH
1:  ldr     r0, [r8], #8
    ldrd    r2, r3, [r9], #8
    SCALE   r0, r2, r3, r4
    BYTE    r0
    cbz     r5, 2f
    ldrb    r0, [r5, r0]
2:  strb    r0, [r6]
    adds    r6, r6, r7
    cmp     r8, lr
    bne     1b
dn_next_channels:
    subs    r11, r11, #4
    bhi     dn_channels
    @ The next block.
    ldrd    r0, r1, [sp, #DN_INPUT]         @ r1 = step
    adds    r0, r0, r1
    str     r0, [sp, #DN_INPUT]
    ldrd    r0, r1, [sp, #DN_SIZE]          @ r1 = out
    ldr     r2, [sp, #DN_BLOCKS]
    adds    r1, r1, r0
    str     r1, [sp, #DN_OUT_0]
    subs    r2, r2, #1
    str     r2, [sp, #DN_BLOCKS]
    bne     dn_block
    add     sp, sp, #DN_FRAME
    pop     {r4-r11, pc}

dn_pair_done:
    ldrd    r8, r9, [sp, #DN_SUMS + 8]
    ldrd    r10, r11, [sp, #DN_SUMS + 24]
    subs    r2, r2, r0
    subs    r3, r3, r1
    subs    r6, r6, r4
    subs    r7, r7, r5
    add     r8, r8, r2, asr #8
    add     r9, r9, r3, asr #8
    add     r10, r10, r6, asr #8
    add     r11, r11, r7, asr #8
    strd    r8, r9, [sp, #DN_SUMS + 8]
    strd    r10, r11, [sp, #DN_SUMS + 24]
    ldrd    r10, r9, [sp, #DN_ROW]
    mov     r2, r0
    mov     r3, r1
    mov     r6, r4
    mov     r7, r5
    cmp     r12, r9
    bne     dn_part
    ldr     r8, [sp, #DN_ROWS_END]
    cmp     r10, r8
    bne     dn_row
    strd    r0, r1, [sp, #DN_SUMS]
    strd    r4, r5, [sp, #DN_SUMS + 16]
    DN_FINISH
1:  ldrd    r0, r1, [r8], #8
    ldrd    r2, r3, [r9], #8
    SCALE   r0, r2, r3, r4
    SCALE   r1, r2, r3, r4
    BYTE    r0
    BYTE    r1
    cbz     r5, 2f
    ldrb    r0, [r5, r0]
    ldrb    r1, [r5, r1]
2:  strb    r0, [r6]
    strb    r1, [r6, #1]
    adds    r6, r6, r7
    cmp     r8, lr
    bne     1b
    b       dn_next_channels

FUNCTION doppel_dense
    push    {r4-r11, lr}
    add     r9, r0, #32
    ldm     r9, {r1-r9}
    push    {r1-r9}
    ldm     r0, {r1-r8}
    push    {r1-r8}
    sub     sp, sp, #DN_GAP
dn_block:
    ldrd    r12, r9, [sp, #DN_WEIGHTS]      @ r9 = channels
    ldr     r6, [sp, #DN_OUT_0]
    ldr     r11, [sp, #DN_OUTPUTS]
dn_channels:
    strd    r9, r6, [sp, #DN_CHANNELS]
    str     r11, [sp, #DN_LEFT]
    movs    r0, #0
    movs    r1, #0
    movs    r2, #0
    movs    r3, #0
    movs    r4, #0
    movs    r5, #0
    movs    r6, #0
    movs    r7, #0
    strd    r2, r3, [sp, #DN_SUMS + 8]
    strd    r2, r3, [sp, #DN_SUMS + 24]
    ldr     r10, [sp, #DN_ROWS]
dn_row:
    ldr     lr, [r10], #4
    ldrd    r8, r9, [sp, #DN_ROW_LEN]       @ r9 = bytes before the block
    add     lr, lr, r9
    add     r9, r8, r12
    strd    r10, r9, [sp, #DN_ROW]
dn_part:
    ldrd    r10, r11, [sp, #DN_LOOP]        @ r11 = bytes of a part
    add     r11, r11, r12
    cmp     r11, r9
    it      hi
    movhi   r11, r9
    str     r11, [sp, #DN_PART_END]
    bx      r10
