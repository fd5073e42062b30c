@ One step of a pointwise layer: blocks of four pixels and two output channels.
@
@ Two weights share a halfword, 256 * b + a. With w = two such halfwords, one a channel of an input pair, and x = the pair's
@ two activations,
@     S += SMLAD(x, w)            = sum x * (256 * b + a)
@     A += SMLAD(x, SXTB16(w))    = sum x * a
@ so sum x * b = (S - A) >> 8, exact while |sum x * b| < 2^23: at most 256 channels of at most 127 * 255 each.
@
@ r0: input, weights, channels, out, plane, pairs, blocks, halves, table (a word each)
@   input     widened row: [pair][16 columns], a word each
@   weights   [pair] of the words (256 b + a), (256 d + c): two halves
@   channels  {multiplier, offset} of each channel
@   out       first pixel of the first channel, `plane` bytes from one channel to the next one; 0 where the second one of a
@             half is none, so that the first one overwrites it
@   blocks    of four pixels, at least 1
@   halves    of two channels, at least 1
@   table     or 0

@ Frame:
    .equ    PW_ENTRY, 0         @ where a block enters the unrolled body
    .equ    PW_STORE, 4         @ how its bytes are stored: with or without a table
    .equ    PW_END, 8           @ the end of the half's weights
    .equ    PW_START, 12        @ their start
    .equ    PW_INPUT, 16        @ the block's input ...
    .equ    PW_OUT, 20          @ ... and output
    .equ    PW_LAST, 24         @ the end of the last block's input
    .equ    PW_STEP, 32         @ from this half's weights to the next half's; from there to the half after it
    .equ    PW_CHANNELS, 40
    .equ    PW_PLANE, 44
    .equ    PW_TABLE, 48
    .equ    PW_INPUT_START, 52
    .equ    PW_OUT_START, 56
    .equ    PW_HALVES, 60
    .equ    PW_FRAME, 64

@ In the sums, of pixels 0 to 3: S r0-r3, A r4-r7; w r8, SXTB16(w) r9, two x r10 r11; weights r12, input lr.
@ Twelve words of code, as the computed entry expects.
    .macro  PW_PAIR
    ldr     r8, [r12], #8
    ldrd    r10, r11, [lr, #8]
    sxtb16  r9, r8
    smlad   r2, r10, r8, r2
    smlad   r3, r11, r8, r3
    smlad   r6, r10, r9, r6
    smlad   r7, r11, r9, r7
    ldrd    r10, r11, [lr], #64
    smlad   r0, r10, r8, r0
    smlad   r1, r11, r8, r1
    smlad   r4, r10, r9, r4
    smlad   r5, r11, r9, r5
    .endm

@ The same for the first pair, which starts the sums.
    .macro  PW_FIRST_PAIR
    ldr     r8, [r12], #8
    ldrd    r10, r11, [lr, #8]
    sxtb16  r9, r8
    smuad   r2, r10, r8
    smuad   r3, r11, r8
    smuad   r6, r10, r9
    smuad   r7, r11, r9
    ldrd    r10, r11, [lr], #64
    smuad   r0, r10, r8
    smuad   r1, r11, r8
    smuad   r4, r10, r9
    smuad   r5, r11, r9
    .endm

@ Four sums of one channel, multiplier r8, offset r9 -> a word of four bytes in p0; r10 and r11 are lost.
    .macro  PW_WORD p0, p1, p2, p3
    SCALE   \p0, r8, r9, r10
    SCALE   \p1, r8, r9, r10
    SCALE   \p2, r8, r9, r10
    SCALE   \p3, r8, r9, r10
    pkhtb   r10, \p2, \p0, asr #16
    pkhtb   r11, \p3, \p1, asr #16
    usat16  r10, #8, r10
    usat16  r11, #8, r11
    orr     \p0, r10, r11, lsl #8
    .endm

@ The four bytes of `word` to `out`, by the table at r5.
    .macro  PW_LOOK_UP word, out
    uxtb    r6, \word
    uxtb    r7, \word, ror #8
    ldrb    r6, [r5, r6]
    ldrb    r7, [r5, r7]
    strb    r6, [\out]
    strb    r7, [\out, #1]
    uxtb    r6, \word, ror #16
    uxtb    r7, \word, ror #24
    ldrb    r6, [r5, r6]
    ldrb    r7, [r5, r7]
    strb    r6, [\out, #2]
    strb    r7, [\out, #3]
    .endm

FUNCTION doppel_pointwise
    push    {r4-r11, lr}
    sub     sp, sp, #PW_FRAME
    ldm     r0!, {r1-r8}        @ input, weights, channels, out, plane, pairs, blocks, halves
    ldr     r9, [r0]            @ table
    strd    r1, r4, [sp, #PW_INPUT_START]
    str     r2, [sp, #PW_START]
    str     r8, [sp, #PW_HALVES]
    strd    r3, r5, [sp, #PW_CHANNELS]
    str     r9, [sp, #PW_TABLE]
    lsl     r10, r6, #3         @ bytes of a group's weights: both halves start in its first two words
    mov     r4, #4
    sub     r5, r10, #4
    strd    r4, r5, [sp, #PW_STEP]
    add     r10, r10, r2
    str     r10, [sp, #PW_END]
    add     r7, r1, r7, lsl #4
    str     r7, [sp, #PW_LAST]
    @ The first pair stands before the body of eight, so the entry is at pair (-(pairs - 1)) mod 8 of the body.
    rsb     r6, r6, #1
    and     r6, r6, #7
    add     r6, r6, r6, lsl #1
    adr     r7, pw_body
    add     r6, r7, r6, lsl #4
    orr     r6, r6, #1
    adr     r7, pw_store
    cmp     r9, #0
    beq     1f
    adr     r7, pw_store_by_table
1:  orr     r7, r7, #1
    strd    r6, r7, [sp, #PW_ENTRY]

pw_half:
    ldr     lr, [sp, #PW_INPUT_START]
    ldr     r11, [sp, #PW_OUT_START]
    strd    lr, r11, [sp, #PW_INPUT]
pw_block:
    ldr     r12, [sp, #PW_START]
    ldr     lr, [sp, #PW_INPUT]
    PW_FIRST_PAIR
    ldr     pc, [sp, #PW_ENTRY]
    .balign 4
pw_body:
    .rept   8
    PW_PAIR
    .endr
    ldr     r8, [sp, #PW_END]
    cmp     r12, r8
    bne     pw_body
    subs    r0, r0, r4
    subs    r1, r1, r5
    subs    r2, r2, r6
    subs    r3, r3, r7
    ldrd    r12, lr, [sp, #PW_CHANNELS]     @ lr = plane
    ldrd    r8, r9, [r12, #8]
    asrs    r0, r0, #8
    asrs    r1, r1, #8
    asrs    r2, r2, #8
    asrs    r3, r3, #8
    PW_WORD r0, r1, r2, r3
    ldrd    r8, r9, [r12]
    PW_WORD r4, r5, r6, r7
    ldr     r1, [sp, #PW_OUT]
    ldr     pc, [sp, #PW_STORE]
    .balign 4
pw_store_by_table:
    ldr     r5, [sp, #PW_TABLE]
    add     r2, r1, lr
    PW_LOOK_UP r0, r2
    PW_LOOK_UP r4, r1
    b       pw_next_block
    .balign 4
pw_store:
    str     r0, [r1, lr]
    str     r4, [r1]
pw_next_block:
    ldr     r5, [sp, #PW_INPUT]
    ldr     r6, [sp, #PW_LAST]
    adds    r5, r5, #16
    adds    r1, r1, #4
    strd    r5, r1, [sp, #PW_INPUT]
    cmp     r5, r6
    bne     pw_block
    @ The next half: its channels, its output planes, its weights.
    ldrd    r0, r1, [sp, #PW_STEP]
    ldrd    r2, r3, [sp, #PW_END]           @ r3 = start
    ldr     r4, [sp, #PW_OUT_START]
    ldr     r5, [sp, #PW_HALVES]
    strd    r1, r0, [sp, #PW_STEP]
    add     r2, r2, r0
    add     r3, r3, r0
    strd    r2, r3, [sp, #PW_END]
    add     r12, r12, #16
    str     r12, [sp, #PW_CHANNELS]
    add     r4, r4, lr, lsl #1
    str     r4, [sp, #PW_OUT_START]
    subs    r5, r5, #1
    str     r5, [sp, #PW_HALVES]
    bne     pw_half
    add     sp, sp, #PW_FRAME
    pop     {r4-r11, pc}
