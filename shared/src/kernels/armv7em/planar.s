@ 3x3 convolutions of one widened plane, for one channel after the other, two pixels at a time.
@
@ With the elements of an input row in words p01, p23, ... and its weights in words w01 = (w0, w1), w12 = (w1, w2):
@     stride 1:  y0 += p01 . w01 + p2 * w2      y1 += p1 * w0 + p23 . w12
@     stride 2:  y0 += p01 . w01 + p2 * w2      y1 += p23 . w01 + p4 * w2
@
@ r0: the words of the frame from PL_PAIRS_LEN to PL_WIDE, then those from PL_TABLE to PL_DISTANCE

    .equ    PL_TABLE, 0         @ or 0
    .equ    PL_ENTRY, 4         @ where a row begins: one of the loops, or doppel_planar3_odd for a row of one pixel
    .equ    PL_AFTER, 8         @ what follows a row's pairs: doppel_planar3_odd or doppel_planar3_row
    .equ    PL_NEXT_ROW, 12     @ bytes of input from behind a row's pairs to the next row
    .equ    PL_PIXELS, 16       @ of a row, at least 1
    .equ    PL_INPUT, 20        @ the widened plane, from the first row under the kernel
    .equ    PL_ROW, 24          @ bytes of one of its rows, a multiple of four
    .equ    PL_WEIGHTS, 28      @ nine bytes a channel
    .equ    PL_CHANNELS, 32     @ {multiplier, offset} of each
    .equ    PL_COUNT, 36        @ of channels, at least 1
    .equ    PL_OUT, 40          @ the first row of the first channel, rows without gaps
    .equ    PL_DISTANCE, 44     @ from one channel to the next one
    .equ    PL_PAIRS_LEN, 48    @ pixels of a row in pairs
    .equ    PL_OUT_LEN, 52      @ bytes of one channel's output
    .equ    PL_READ, 56         @ where each channel has a plane: bytes from one to the next one
    .equ    PL_BACK, 60         @ 0, or 18 where the last channel comes first: from behind its weights to the next channel's
    .equ    PL_BYTES, 64        @ the first channel's plane, or 0 where all channels share the widened one
    .equ    PL_COLUMNS, 68      @ of its rows, at least 4
    .equ    PL_ROWS, 72         @ at least 1
    .equ    PL_WIDE, 76         @ where they are widened to
    .equ    PL_SCALE, 80        @ multiplier and offset of the channel
    .equ    PL_PAIRS_END, 88    @ the end of the row's pairs in the output
    .equ    PL_OUT_END, 92      @ the end of the channel's output
    .equ    PL_FRAME, 96

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

    .macro  PL_FINISH
    ldrd    r8, r9, [sp, #PL_SCALE]
    mla     r6, r6, r8, r9
    mla     r7, r7, r8, r9
    ubfx    r8, r6, #16, #1
    ubfx    r9, r7, #16, #1
    add     r6, r6, r8
    add     r7, r7, r9
    BYTE    r6
    BYTE    r7
    strb    r6, [r12], #1
    strb    r7, [r12], #1
    .endm
    .macro  PL_FINISH_TABLE
    ldrd    r8, r9, [sp, #PL_SCALE]
    mla     r6, r6, r8, r9
    mla     r7, r7, r8, r9
    ubfx    r8, r6, #16, #1
    ubfx    r9, r7, #16, #1
    add     r6, r6, r8
    add     r7, r7, r9
    ldr     r8, [sp, #PL_TABLE]
    LOOK_UP r6, r8
    LOOK_UP r7, r8
    strb    r6, [r12], #1
    strb    r7, [r12], #1
    .endm

@ The pairs of a row, two a round; `_half` enters for one more.
    .macro  PL_LOOP name, sums, finish
    LABEL   \name
    \sums
    \finish
    LABEL   \name\()_half
    \sums
    \finish
    ldr     r8, [sp, #PL_PAIRS_END]
    cmp     r12, r8
    bne.w   \name
    ldr     pc, [sp, #PL_AFTER]
    .endm

    .balign 4
    PL_LOOP doppel_planar3_stride1, PL_SUMS_STRIDE1, PL_FINISH
    PL_LOOP doppel_planar3_stride2, PL_SUMS_STRIDE2, PL_FINISH
    PL_LOOP doppel_planar3_stride1_table, PL_SUMS_STRIDE1, PL_FINISH_TABLE
    PL_LOOP doppel_planar3_stride2_table, PL_SUMS_STRIDE2, PL_FINISH_TABLE

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
    ldrd    r8, r9, [sp, #PL_SCALE]
    SCALE   r6, r8, r9, r7
    BYTE    r6
    ldr     r8, [sp, #PL_TABLE]
    cmp     r8, #0
    it      ne
    ldrbne  r6, [r8, r6]
    strb    r6, [r12], #1
@ To the next row, if there is one.
    LABEL   doppel_planar3_row
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

    .macro  PL_WEIGHTS_OF_ROW w01, w12
    ldrsb   r6, [r12], #1
    ldrsb   r7, [r12], #1
    ldrsb   r8, [r12], #1
    pkhbt   \w01, r6, r7, lsl #16
    pkhbt   \w12, r7, r8, lsl #16
    .endm

FUNCTION doppel_planar3
    push    {r4-r11, lr}
    sub     sp, sp, #PL_FRAME - PL_SCALE
    ldm     r0!, {r1-r8}
    push    {r1-r8}
    ldm     r0, {r1-r12}
    push    {r1-r12}
pl_channel:
    ldrd    r0, r1, [sp, #PL_BYTES]         @ r1 = columns
    cmp     r0, #0
    beq.w   pl_widened
    ldr     r6, [sp, #PL_READ]
    ldrd    r2, r3, [sp, #PL_ROWS]          @ r3 = wide
    ldr     r4, [sp, #PL_ROW]
    add     r6, r6, r0
    str     r6, [sp, #PL_BYTES]
    WD_ROWS 4
pl_widened:
    ldrd    r12, r9, [sp, #PL_WEIGHTS]      @ r9 = channels
    ldr     r10, [sp, #PL_BACK]
    PL_WEIGHTS_OF_ROW r0, r1
    PL_WEIGHTS_OF_ROW r2, r3
    PL_WEIGHTS_OF_ROW r4, r5
    ldrd    r6, r7, [r9], #8
    sub     r12, r12, r10
    bic     r10, r10, #2                    @ eight bytes a channel here, nine there
    sub     r9, r9, r10
    strd    r12, r9, [sp, #PL_WEIGHTS]
    strd    r6, r7, [sp, #PL_SCALE]
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
    ldr     pc, [sp, #PL_ENTRY]
pl_next_channel:
    ldr     r6, [sp, #PL_COUNT]
    subs    r6, r6, #1
    str     r6, [sp, #PL_COUNT]
    bne.w   pl_channel
    add     sp, sp, #PL_FRAME
    pop     {r4-r11, pc}
