@ Winograd layers; see the module `winograd` for the transforms.

@ The strip under a row of tiles: four rows of every channel, a word a column, rows 0 to 3 from its lowest byte.
@ r0: the words of the frame

    .equ    WS_ROWS, 0          @ four pointers, to the first channel's rows
    .equ    WS_PLANES, 16       @ of each row, bytes from one channel's to the next one's
    .equ    WS_COLUMNS, 32      @ of a row, at least 4
    .equ    WS_CHANNELS, 36     @ at least 1
    .equ    WS_STRIP, 40        @ [pair of channels][column][2], from the first column inside the padding
    .equ    WS_STEP, 44         @ from an even channel to its odd one; from there to the next pair
    .equ    WS_FRAME, 52

@ Four columns of the four rows at r0-r3 to r12, eight bytes apart; nothing is moved on.
    .macro  WS_FOUR
    ldr     r4, [r0]
    ldr     r5, [r1]
    ldr     r6, [r2]
    ldr     r7, [r3]
    uxtb16  r8, r4              @ columns 0 and 2 of row 0
    uxtb16  r9, r5
    uxtb16  r10, r6
    uxtb16  r11, r7
    orr     r8, r8, r9, lsl #8
    orr     r10, r10, r11, lsl #8
    pkhbt   r9, r8, r10, lsl #16
    pkhtb   r11, r10, r8, asr #16
    str     r9, [r12]
    str     r11, [r12, #16]
    uxtb16  r4, r4, ror #8      @ columns 1 and 3
    uxtb16  r5, r5, ror #8
    uxtb16  r6, r6, ror #8
    uxtb16  r7, r7, ror #8
    orr     r4, r4, r5, lsl #8
    orr     r6, r6, r7, lsl #8
    pkhbt   r5, r4, r6, lsl #16
    pkhtb   r7, r6, r4, asr #16
    str     r5, [r12, #8]
    str     r7, [r12, #24]
    .endm

FUNCTION doppel_winograd_strip
    push    {r4-r11, lr}
    ldm     r0!, {r1-r8}
    ldm     r0, {r9-r12, lr}
    push    {r1-r12, lr}
ws_channel:
    ldm     sp, {r0-r3}
    ldr     lr, [sp, #WS_COLUMNS]
    ldr     r12, [sp, #WS_STRIP]
    sub     lr, lr, #4                      @ columns that the next four leave
ws_columns:
    WS_FOUR
    cmp     lr, #0
    beq     ws_next_channel
    @ Four columns on; the last four may overlap those before.
    mov     r4, #4
    cmp     lr, #4
    it      lo
    movlo   r4, lr
    sub     lr, lr, r4
    add     r0, r0, r4
    add     r1, r1, r4
    add     r2, r2, r4
    add     r3, r3, r4
    add     r12, r12, r4, lsl #3
    b       ws_columns
ws_next_channel:
    ldm     sp, {r0-r7}
    add     r0, r0, r4
    add     r1, r1, r5
    add     r2, r2, r6
    add     r3, r3, r7
    stm     sp, {r0-r3}
    ldrd    r4, r5, [sp, #WS_CHANNELS]      @ r5 = strip
    ldrd    r6, r7, [sp, #WS_STEP]
    sub     r4, r4, #1
    add     r5, r5, r6
    strd    r4, r5, [sp, #WS_CHANNELS]
    strd    r7, r6, [sp, #WS_STEP]
    cmp     r4, #0
    bne     ws_channel
    add     sp, sp, #WS_FRAME
    pop     {r4-r11, pc}

@ The transformed tile, all channels.
@ r0 strip from the tile's first column; r1 bytes from pair to pair in it; r2 the tile's word of [pair][product][4 tiles];
@ r3 pairs, at least 1

@ One column of both channels: rows (0, 2) and (1, 3) of the even one, of the odd one.
    .macro  WI_LOAD column, ea, oa, eb, ob
    ldr     \ea, [r0, #8 * \column]
    ldr     \eb, [r0, #8 * \column + 4]
    uxtb16  \oa, \ea, ror #8
    uxtb16  \ob, \eb, ror #8
    uxtb16  \ea, \ea
    uxtb16  \eb, \eb
    .endm

@ One column of the transformed tile from two columns of the input, `op` between them; then along the column.
    .macro  WI_COLUMN column, op, xea, xoa, xeb, xob, yea, yoa, yeb, yob
    \op     r10, \xea, \yea
    \op     r11, \xeb, \yeb
    pkhbt   r12, r10, r11, lsl #16          @ row 0
    pkhtb   r11, r11, r10, asr #16          @ row 2
    ssub16  r12, r12, r11
    str     r12, [r1, #16 * \column]
    \op     r10, \xoa, \yoa
    \op     r12, \xob, \yob
    pkhbt   lr, r10, r12, lsl #16           @ row 1
    pkhtb   r12, r12, r10, asr #16          @ row 3
    ssub16  r12, lr, r12
    sadd16  r10, lr, r11
    ssub16  r11, r11, lr
    str     r12, [r1, #16 * (12 + \column)]
    str     r10, [r1, #16 * (4 + \column)]
    str     r11, [r1, #16 * (8 + \column)]
    .endm

FUNCTION doppel_winograd_input
    push    {r4-r11, lr}
    push    {r1, r3}
    mov     r1, r2
1:  WI_LOAD 0, r2, r3, r4, r5
    WI_LOAD 2, r6, r7, r8, r9
    WI_COLUMN 0, ssub16, r2, r3, r4, r5, r6, r7, r8, r9
    WI_LOAD 1, r2, r3, r4, r5
    WI_COLUMN 1, sadd16, r2, r3, r4, r5, r6, r7, r8, r9
    WI_COLUMN 2, ssub16, r6, r7, r8, r9, r2, r3, r4, r5
    WI_LOAD 3, r6, r7, r8, r9
    WI_COLUMN 3, ssub16, r2, r3, r4, r5, r6, r7, r8, r9
    ldrd    r10, r11, [sp]                  @ r11 = pairs left
    add     r0, r0, r10
    add     r1, r1, #256
    subs    r11, r11, #1
    str     r11, [sp, #4]
    bne     1b
    add     sp, sp, #8
    pop     {r4-r11, pc}

@ The products of four transformed tiles with the weights of all output channels, two at a time, and what they add up to.
@ r0: the words of the frame from WG_TILES to WG_PAIRS

    .equ    WG_INPUT, 0         @ of this product, the first pair's tiles ...
    .equ    WG_END, 4           @ ... and the end of its weights
    .equ    WG_ENTRY, 8         @ where its sums enter the unrolled body
    .equ    WG_NEXT_SUMS, 12    @ where they go
    .equ    WG_WEIGHTS_NEXT, 16 @ of the next two output channels
    .equ    WG_CHANNEL, 20      @ which of the two
    .equ    WG_TILES, 24        @ [pair][product][4 tiles] of (even, odd channel)
    .equ    WG_WEIGHTS, 28      @ [two outputs][product][pair][2] of (even, odd channel)
    .equ    WG_SUMS, 32         @ [product][2 outputs][4 tiles]
    .equ    WG_CHANNELS, 36     @ {multiplier, offset} of each
    .equ    WG_RECORDS, 40      @ of each tile {first output, what it lacks: 1 the right column, 2 the lower row}
    .equ    WG_COUNT, 44        @ bytes of sums of the tiles that are there, 4 to 16
    .equ    WG_PLANE, 48        @ of the output
    .equ    WG_WIDTH, 52        @ of its rows
    .equ    WG_TABLE, 56        @ or 0
    .equ    WG_OUTPUTS, 60      @ channels, at least 1
    .equ    WG_PAIRS, 64        @ bytes of weights of one product
    .equ    WG_FRAME, 68

@ Sums of the first output, tiles 0 to 3, r0-r3; of the second one r4-r7; u r8 r9, v r10 r11; weights r12, tiles lr.
@ Eleven words of code, as the computed entry expects.
    .macro  WG_PAIR
    ldrd    r8, r9, [r12], #8
    ldrd    r10, r11, [lr, #8]
    smlad   r2, r10, r8, r2
    smlad   r3, r11, r8, r3
    smlad   r6, r10, r9, r6
    smlad   r7, r11, r9, r7
    ldrd    r10, r11, [lr], #256
    smlad   r0, r10, r8, r0
    smlad   r1, r11, r8, r1
    smlad   r4, r10, r9, r4
    smlad   r5, r11, r9, r5
    .endm
    .macro  WG_FIRST_PAIR
    ldrd    r8, r9, [r12], #8
    ldrd    r10, r11, [lr, #8]
    smuad   r2, r10, r8
    smuad   r3, r11, r8
    smuad   r6, r10, r9
    smuad   r7, r11, r9
    ldrd    r10, r11, [lr], #256
    smuad   r0, r10, r8
    smuad   r1, r11, r8
    smuad   r4, r10, r9
    smuad   r5, r11, r9
    .endm

@ One column of sums, at r12, added up into the two rows of outputs.
    .macro  WG_COLUMN column, upper, lower
    ldr     r8, [r12, #32 * \column]
    ldr     r9, [r12, #32 * (4 + \column)]
    ldr     r10, [r12, #32 * (8 + \column)]
    ldr     r11, [r12, #32 * (12 + \column)]
    add     \upper, r8, r9
    add     \upper, \upper, r10
    sub     \lower, r9, r10
    sub     \lower, \lower, r11
    .endm

FUNCTION doppel_winograd_tiles
    push    {r4-r11, lr}
    ldm     r0, {r1-r11}
    push    {r1-r11}
    sub     sp, sp, #WG_TILES
    @ The first pair stands before the body of eight.
    lsr     r4, r11, #3
    rsb     r4, r4, #1
    and     r4, r4, #7
    mov     r5, #44
    adr     r6, wg_body
    mla     r4, r4, r5, r6
    orr     r4, r4, #1
    str     r4, [sp, #WG_ENTRY]
    str     r2, [sp, #WG_WEIGHTS_NEXT]
wg_outputs:
    ldr     r12, [sp, #WG_WEIGHTS_NEXT]
    ldr     lr, [sp, #WG_TILES]
    ldr     r8, [sp, #WG_SUMS]
    ldr     r9, [sp, #WG_PAIRS]
    str     r8, [sp, #WG_NEXT_SUMS]
    add     r9, r9, r12
    strd    lr, r9, [sp, #WG_INPUT]
wg_product:
    WG_FIRST_PAIR
    ldr     pc, [sp, #WG_ENTRY]
    .balign 4
wg_body:
    .rept   8
    WG_PAIR
    .endr
    ldr     r8, [sp, #WG_END]
    cmp     r12, r8
    bne     wg_body
    ldr     r9, [sp, #WG_NEXT_SUMS]
    ldr     lr, [sp, #WG_INPUT]
    ldr     r10, [sp, #WG_PAIRS]
    stm     r9!, {r0-r7}
    add     lr, lr, #16
    add     r8, r8, r10
    str     r9, [sp, #WG_NEXT_SUMS]
    ldr     r10, [sp, #WG_TILES]
    strd    lr, r8, [sp, #WG_INPUT]
    add     r10, r10, #256
    cmp     lr, r10
    bne     wg_product
    str     r12, [sp, #WG_WEIGHTS_NEXT]
    @ The outputs of both channels.
    ldr     r12, [sp, #WG_SUMS]
    mov     lr, #2
wg_channel:
    str     lr, [sp, #WG_CHANNEL]
    ldr     r7, [sp, #WG_COUNT]
    ldr     lr, [sp, #WG_RECORDS]
    add     r7, r7, r12
    str     r7, [sp, #WG_NEXT_SUMS]         @ the end of the tiles
wg_tile:
    WG_COLUMN 0, r0, r4
    WG_COLUMN 1, r1, r5
    WG_COLUMN 2, r2, r6
    WG_COLUMN 3, r3, r7
    ldr     r10, [sp, #WG_CHANNELS]
    add     r0, r0, r1
    add     r0, r0, r2
    sub     r1, r1, r2
    sub     r1, r1, r3
    add     r4, r4, r5
    add     r4, r4, r6
    sub     r5, r5, r6
    sub     r5, r5, r7
    ldrd    r8, r9, [r10]
    asr     r0, r0, #2
    asr     r1, r1, #2
    asr     r4, r4, #2
    asr     r5, r5, #2
    SCALE   r0, r8, r9, r10
    SCALE   r1, r8, r9, r10
    SCALE   r4, r8, r9, r10
    SCALE   r5, r8, r9, r10
    BYTE    r0
    BYTE    r1
    BYTE    r4
    BYTE    r5
    ldr     r6, [sp, #WG_TABLE]
    ldrd    r2, r3, [lr]                    @ first output, what the tile lacks
    cbz     r6, 1f
    ldrb    r0, [r6, r0]
    ldrb    r1, [r6, r1]
    ldrb    r4, [r6, r4]
    ldrb    r5, [r6, r5]
1:  ldrd    r6, r7, [sp, #WG_PLANE]         @ r7 = width
    strb    r0, [r2]
    cbnz    r3, wg_cut
    strb    r1, [r2, #1]
    add     r3, r2, r7
    strb    r4, [r3]
    strb    r5, [r3, #1]
wg_next_tile:
    ldr     r8, [sp, #WG_NEXT_SUMS]
    add     r2, r2, r6
    str     r2, [lr], #8
    add     r12, r12, #4
    cmp     r12, r8
    bne     wg_tile
    @ The next channel.
    ldr     r0, [sp, #WG_OUTPUTS]
    ldr     r1, [sp, #WG_CHANNELS]
    ldr     lr, [sp, #WG_CHANNEL]
    ldr     r12, [sp, #WG_SUMS]
    add     r1, r1, #8
    str     r1, [sp, #WG_CHANNELS]
    add     r12, r12, #16                   @ the second output's sums
    subs    r0, r0, #1
    str     r0, [sp, #WG_OUTPUTS]
    beq     wg_end
    subs    lr, lr, #1
    bne     wg_channel
    b       wg_outputs
wg_cut:
    tst     r3, #1
    it      eq
    strbeq  r1, [r2, #1]
    tst     r3, #2
    bne     wg_next_tile
    add     r2, r2, r7
    strb    r4, [r2]
    tst     r3, #1
    it      eq
    strbeq  r5, [r2, #1]
    sub     r2, r2, r7
    b       wg_next_tile
wg_end:
    add     sp, sp, #WG_FRAME
    pop     {r4-r11, pc}
