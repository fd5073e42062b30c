@ Sums of windows of each plane: an average pool.
@ r0: the words from PO_BYTES to PO_TABLE, which change

    .equ    PO_BYTES, 0         @ the channel's plane
    .equ    PO_READ, 4          @ from one channel's to the next one's
    .equ    PO_CHANNELS, 8      @ its {multiplier, offset}
    .equ    PO_CHANNEL_STEP, 12 @ from one channel's to the next one's
    .equ    PO_OUT, 16          @ the next output, rows without gaps
    .equ    PO_SKIP, 20         @ from behind a channel's output to the next one's
    .equ    PO_COUNT, 24        @ channels left, at least 1
    .equ    PO_OUT_ROWS, 28     @ at least 1
    .equ    PO_OUT_COLUMNS, 32  @ at least 1
    .equ    PO_STRIDE, 36       @ bytes from one window to the next one
    .equ    PO_DOWN, 40         @ from a row of windows to the next one
    .equ    PO_ROWS, 44         @ of a window, at least 1
    .equ    PO_COLUMNS, 48      @ at least 1
    .equ    PO_WIDTH, 52        @ bytes from one of its rows to the next one
    .equ    PO_TABLE, 56        @ or 0

FUNCTION doppel_pool
    push    {r4-r11, lr}
po_channel:
    ldrd    r1, r2, [r0, #PO_BYTES]
    adds    r2, r2, r1
    str     r2, [r0, #PO_BYTES]
    ldrd    r3, r4, [r0, #PO_CHANNELS]
    adds    r4, r4, r3
    str     r4, [r0, #PO_CHANNELS]
    ldrd    r10, r11, [r3]
    movs    r2, #0                      @ what USADA8 takes the difference to
    ldr     r8, [r0, #PO_OUT_ROWS]
po_row:
    mov     r5, r1
    ldr     r6, [r0, #PO_OUT_COLUMNS]
po_window:
    mov     r7, r5
    mov     r12, r2
    ldr     r9, [r0, #PO_ROWS]
po_row_of_window:
    mov     lr, r7
    ldr     r4, [r0, #PO_COLUMNS]
    subs    r4, r4, #4
    blo     2f
1:  ldr     r3, [lr], #4
    usada8  r12, r3, r2, r12
    subs    r4, r4, #4
    bhs     1b
2:  adds    r4, r4, #4
    beq     4f
3:  ldrb    r3, [lr], #1
    add     r12, r12, r3
    subs    r4, r4, #1
    bne     3b
4:  ldr     r3, [r0, #PO_WIDTH]
    adds    r7, r7, r3
    subs    r9, r9, #1
    bne     po_row_of_window
    SCALE   r12, r10, r11, r3
    BYTE    r12
    ldrd    r4, r7, [r0, #PO_OUT]       @ r7 = skip
    ldr     r3, [r0, #PO_TABLE]
    cbz     r3, 5f
    ldrb    r12, [r3, r12]
5:  strb    r12, [r4], #1
    str     r4, [r0, #PO_OUT]
    ldrd    r3, r9, [r0, #PO_STRIDE]    @ r9 = down
    adds    r5, r5, r3
    subs    r6, r6, #1
    bne     po_window
    add     r1, r1, r9
    subs    r8, r8, #1
    bne     po_row
    adds    r4, r4, r7
    str     r4, [r0, #PO_OUT]
    ldr     r3, [r0, #PO_COUNT]
    subs    r3, r3, #1
    str     r3, [r0, #PO_COUNT]
    bne     po_channel
    pop     {r4-r11, pc}
