@ Convolutions of one widened plane, for one channel after the other; 3x3 kernels of stride 1 and 2 two pixels at a time.
@
@ With the elements of an input row in words p01, p23, ... and its weights in words w01 = (w0, w1), w12 = (w1, w2):
@     stride 1:  y0 += p01 . w01 + p2 * w2      y1 += p1 * w0 + p23 . w12
@     stride 2:  y0 += p01 . w01 + p2 * w2      y1 += p23 . w01 + p4 * w2
@
@ r0: the words of the frame from PL_TABLE to PL_STEP

    .equ    PL_TABLE, 0         @ or 0
    .equ    PL_FIRST, 4         @ how a channel begins: doppel_planar3, or doppel_planar_any for any kernel and stride
    .equ    PL_ENTRY, 8         @ how a row begins: one of the loops, or doppel_planar3_odd for a row of one pixel
    .equ    PL_AFTER, 12        @ what follows a row's pairs: doppel_planar3_odd or doppel_planar_row
    .equ    PL_NEXT_ROW, 16     @ bytes of input from behind a row's pairs to the next row
    .equ    PL_PIXELS, 20       @ of a row, at least 1
    .equ    PL_PAIRS_LEN, 24    @ those in pairs; all of them for any kernel
    .equ    PL_OUT_LEN, 28      @ bytes of one channel's output
    .equ    PL_INPUT, 32        @ the widened plane, from the first row under the kernel
    .equ    PL_ROW, 36          @ bytes of one of its rows; a multiple of four but for any kernel
    .equ    PL_WEIGHTS, 40      @ of the channel, a byte each
    .equ    PL_CHANNELS, 44     @ its {multiplier, offset}
    .equ    PL_WEIGHTS_STEP, 48 @ from one channel's to the next one's
    .equ    PL_CHANNELS_STEP, 52
    .equ    PL_OUT, 56          @ the channel's first row, rows without gaps
    .equ    PL_DISTANCE, 60     @ from one channel to the next one
    .equ    PL_COUNT, 64        @ channels left, at least 1
    .equ    PL_GAP, 68          @ where each channel has a plane: from behind a widened row's columns to the next row
    .equ    PL_BYTES, 72        @ the channel's plane, or 0 where all channels share the widened one
    .equ    PL_READ, 76         @ from one channel's to the next one's
    .equ    PL_COLUMNS, 80      @ of its rows, at least 1
    .equ    PL_ROWS, 84         @ at least 1
    .equ    PL_WIDE, 88         @ where they are widened to
    .equ    PL_KERNEL_ROWS, 92
    .equ    PL_KERNEL_COLUMNS, 96
    .equ    PL_STEP, 100        @ bytes of input from one window to the next one, for any kernel
    .equ    PL_SCALE, 104       @ multiplier and offset of the channel
    .equ    PL_PAIRS_END, 112   @ the end of the row's pairs in the output
    .equ    PL_OUT_END, 116     @ the end of the channel's output
    .equ    PL_WINDOW, 120      @ the channel's weights
    .equ    PL_FRAME, 124

@ In the sums: w01 and w12 of the three rows r0-r5, y0 r6, y1 r7, x r8 r9; input rows r10 r11 lr, output r12.

    .macro  PL_ROW_STRIDE1 input, w01, w12
    ldrd    r8, r9, [\input], #4
    smlad   r6, r8, \w01, r6
    smlatb  r7, r8, \w01, r7
    smlabt  r6, r9, \w12, r6
    smlad   r7, r9, \w12, r7
    .endm
    .macro  PL_SUMS_STRIDE1
    ldrd    r8, r9, [r10], #4
    smuad   r6, r8, r0
    smultb  r7, r8, r0
    smlabt  r6, r9, r1, r6
    smlad   r7, r9, r1, r7
    PL_ROW_STRIDE1 r11, r2, r3
    PL_ROW_STRIDE1 lr, r4, r5
    .endm

    .macro  PL_ROW_STRIDE2 input, w01, w12
    ldrd    r8, r9, [\input], #8
    smlad   r6, r8, \w01, r6
    ldr     r8, [\input]
    smlabt  r6, r9, \w12, r6
    smlad   r7, r9, \w01, r7
    smlabt  r7, r8, \w12, r7
    .endm
    .macro  PL_SUMS_STRIDE2
    ldrd    r8, r9, [r10], #8
    smuad   r6, r8, r0
    ldr     r8, [r10]
    smlabt  r6, r9, r1, r6
    smuad   r7, r9, r0
    smlabt  r7, r8, r1, r7
    PL_ROW_STRIDE2 r11, r2, r3
    PL_ROW_STRIDE2 lr, r4, r5
    .endm

@ Both sums to bytes, by `table` or none.
    .macro  PL_FINISH table
    ldrd    r8, r9, [sp, #PL_SCALE]
    mla     r6, r6, r8, r9
    mla     r7, r7, r8, r9
    ubfx    r8, r6, #16, #1
    ubfx    r9, r7, #16, #1
    add     r6, r6, r8
    add     r7, r7, r9
    BYTE    r6
    BYTE    r7
    .ifnb   \table
    ldr     r8, [sp, #PL_TABLE]
    ldrb    r6, [r8, r6]
    ldrb    r7, [r8, r7]
    .endif
    strb    r6, [r12], #1
    strb    r7, [r12], #1
    .endm
    .macro  PL_AGAIN name
    ldr     r8, [sp, #PL_PAIRS_END]
    cmp     r12, r8
    bne     \name
    ldr     pc, [sp, #PL_AFTER]
    .endm

@ The pairs of a row, two a round; `_half` enters for one more.
    .macro  PL_LOOP name, sums
    LABEL   \name
1:  \sums
    PL_FINISH
    LABEL   \name\()_half
    \sums
    PL_FINISH
    PL_AGAIN 1b
    .endm
    .macro  PL_LOOP_BY_TABLE name, sums
    LABEL   \name
1:  \sums
    PL_FINISH table
    PL_AGAIN 1b
    .endm

    .balign 4
    PL_LOOP doppel_planar3_stride1, PL_SUMS_STRIDE1
    PL_LOOP doppel_planar3_stride2, PL_SUMS_STRIDE2
    PL_LOOP_BY_TABLE doppel_planar3_stride1_table, PL_SUMS_STRIDE1
    PL_LOOP_BY_TABLE doppel_planar3_stride2_table, PL_SUMS_STRIDE2

@ The sum r6 of one pixel.
    .macro  PL_ONE
    ldrd    r8, r9, [sp, #PL_SCALE]
    SCALE   r6, r8, r9, r7
    BYTE    r6
    ldr     r7, [sp, #PL_TABLE]
    cbz     r7, 9f
    ldrb    r6, [r7, r6]
9:  strb    r6, [r12], #1
    .endm

@ A last pixel without a partner: reads no word past its window's.
    LABEL   doppel_planar3_odd
    ldrd    r8, r9, [r10]
    smuad   r6, r8, r0
    smlabt  r6, r9, r1, r6
    ldrd    r8, r9, [r11]
    smlad   r6, r8, r2, r6
    smlabt  r6, r9, r3, r6
    ldrd    r8, r9, [lr]
    smlad   r6, r8, r4, r6
    smlabt  r6, r9, r5, r6
    PL_ONE
@ To the next row, if there is one.
    LABEL   doppel_planar_row
    ldr     r9, [sp, #PL_OUT_END]
    ldrd    r7, r8, [sp, #PL_NEXT_ROW]      @ r8 = pixels
    cmp     r12, r9
    beq     pl_next_channel
    ldr     r6, [sp, #PL_PAIRS_END]
    add     r10, r10, r7
    add     r11, r11, r7
    add     lr, lr, r7
    add     r6, r6, r8
    str     r6, [sp, #PL_PAIRS_END]
    ldr     pc, [sp, #PL_ENTRY]

@ Any kernel, a pixel at a time: sum r6, its window r10, the window's rows r3, weights r1.
    LABEL   doppel_planar_any
    ldr     r1, [sp, #PL_WINDOW]
    ldrd    r4, r5, [sp, #PL_KERNEL_ROWS]   @ r5 = columns
    movs    r6, #0
    mov     r3, r10
1:  mov     r2, r3
    mov     r7, r5
2:  ldrsh   r8, [r2], #2
    ldrsb   r9, [r1], #1
    mla     r6, r8, r9, r6
    subs    r7, r7, #1
    bne     2b
    ldr     r7, [sp, #PL_ROW]
    adds    r3, r3, r7
    subs    r4, r4, #1
    bne     1b
    PL_ONE
    ldr     r7, [sp, #PL_STEP]
    ldr     r8, [sp, #PL_PAIRS_END]
    add     r10, r10, r7
    cmp     r12, r8
    bne     doppel_planar_any
    b       doppel_planar_row

    .macro  PL_WEIGHTS_OF_ROW w01, w12, at
    ldrsb   r6, [r9, #\at]
    ldrsb   r7, [r9, #\at + 1]
    ldrsb   r8, [r9, #\at + 2]
    pkhbt   \w01, r6, r7, lsl #16
    pkhbt   \w12, r7, r8, lsl #16
    .endm

    LABEL   doppel_planar3
    PL_WEIGHTS_OF_ROW r0, r1, 0
    PL_WEIGHTS_OF_ROW r2, r3, 3
    PL_WEIGHTS_OF_ROW r4, r5, 6
    ldr     pc, [sp, #PL_ENTRY]

FUNCTION doppel_planar
    push    {r4-r11, lr}
    sub     sp, sp, #PL_FRAME - PL_SCALE
    add     r10, r0, #PL_COUNT
    ldm     r10, {r0-r9}
    push    {r0-r9}
    sub     r10, r10, #32
    ldm     r10, {r0-r7}
    push    {r0-r7}
    sub     r10, r10, #32
    ldm     r10, {r0-r7}
    push    {r0-r7}
pl_channel:
    ldrd    r0, r6, [sp, #PL_BYTES]         @ r6 = read
    cbz     r0, 1f
    adds    r6, r6, r0
    str     r6, [sp, #PL_BYTES]
    ldrd    r1, r2, [sp, #PL_COLUMNS]       @ r2 = rows
    ldr     r3, [sp, #PL_WIDE]
    ldr     r4, [sp, #PL_GAP]
    bl      wd_rows
1:  ldrd    r9, r6, [sp, #PL_WEIGHTS]       @ r6 = channels
    ldrd    r10, r11, [sp, #PL_WEIGHTS_STEP] @ r11 = channels' step
    ldrd    r7, r8, [r6]
    str     r9, [sp, #PL_WINDOW]
    add     r10, r10, r9
    add     r11, r11, r6
    strd    r10, r11, [sp, #PL_WEIGHTS]
    strd    r7, r8, [sp, #PL_SCALE]
    ldrd    r12, r6, [sp, #PL_OUT]          @ r6 = distance
    ldrd    r7, r8, [sp, #PL_PAIRS_LEN]     @ r8 = length of the output
    ldrd    r10, r11, [sp, #PL_INPUT]       @ r11 = row
    add     r6, r6, r12
    add     r7, r7, r12
    add     r8, r8, r12
    str     r6, [sp, #PL_OUT]
    strd    r7, r8, [sp, #PL_PAIRS_END]
    add     lr, r10, r11, lsl #1
    add     r11, r11, r10
    ldr     pc, [sp, #PL_FIRST]
pl_next_channel:
    ldr     r6, [sp, #PL_COUNT]
    subs    r6, r6, #1
    str     r6, [sp, #PL_COUNT]
    bne     pl_channel
    add     sp, sp, #PL_FRAME
    pop     {r4-r11, pc}
