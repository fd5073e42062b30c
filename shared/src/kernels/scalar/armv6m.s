@ The inner loops of cores with the instructions of Armv6-M: eight registers, a multiplication of 32 bits.

    .syntax unified
    .section .text.doppel_kernels, "ax", %progbits
    .thumb

    .macro  FUNCTION name
    .balign 4
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    .endm

@ S = sum x * (256 * b + a) and A = sum x * a over one row's pairs of input channels, for two output channels.
@ r0 x: a word each for every pair, `pitch` bytes from pair to pair; r1 the first weights; r2 behind the last ones;
@ r3 pitch -> r0 S, r1 A

@ One word of x and one of weights: products in S (r2) and A (r3).
    .macro  V6_WORD x, w
    ldr     r4, [r1, #\w]
    ldrh    r5, [r0, #\x]
    ldrh    r6, [r0, #\x + 2]
    sxth    r7, r4
    muls    r7, r5, r7
    adds    r2, r2, r7
    sxtb    r7, r4
    muls    r5, r7, r5
    adds    r3, r3, r5
    asrs    r4, r4, #16
    sxtb    r7, r4
    muls    r4, r6, r4
    adds    r2, r2, r4
    muls    r6, r7, r6
    adds    r3, r3, r6
    .endm

    .macro  V6_ENTER
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    push    {r4, r5}
    mov     r8, r2              @ the end of the weights
    mov     r9, r3
    movs    r2, #0
    movs    r3, #0
    .endm
    .macro  V6_LEAVE
    mov     r0, r2
    mov     r1, r3
    pop     {r4, r5}
    mov     r8, r4
    mov     r9, r5
    pop     {r4-r7, pc}
    .endm

@ One column: two pairs a round.
FUNCTION doppel_scalar_row1
    V6_ENTER
1:  V6_WORD 0, 0
    add     r0, r0, r9
    V6_WORD 0, 8
    add     r0, r0, r9
    adds    r1, r1, #16
    cmp     r1, r8
    bne     1b
    V6_LEAVE

@ Three columns.
FUNCTION doppel_scalar_row3
    V6_ENTER
1:  V6_WORD 0, 0
    V6_WORD 4, 8
    V6_WORD 8, 16
    add     r0, r0, r9
    adds    r1, r1, #24
    cmp     r1, r8
    bne     1b
    V6_LEAVE

@ The sums of products of a Winograd layer for one output channel and two tiles.
@ r0 tiles: two words for every pair of input channels, 256 bytes from pair to pair; r1 the first weights, a word each
@ eight bytes; r2 behind the last ones -> r0, r1 the sums

@ The products of the word at r0 with the weights r4 and r5.
    .macro  V6_TILE tile, sum
    ldr     r6, [r0, #\tile]
    sxth    r7, r6
    muls    r7, r4, r7
    adds    \sum, \sum, r7
    asrs    r6, r6, #16
    muls    r6, r5, r6
    adds    \sum, \sum, r6
    .endm

FUNCTION doppel_scalar_winograd
    V6_ENTER
    movs    r4, #255
    adds    r4, r4, #1
    mov     r9, r4              @ bytes from pair to pair
1:  ldr     r5, [r1]
    sxth    r4, r5
    asrs    r5, r5, #16
    V6_TILE 0, r2
    V6_TILE 4, r3
    add     r0, r0, r9
    adds    r1, r1, #8
    cmp     r1, r8
    bne     1b
    V6_LEAVE

@ One output row of a 3x3 convolution of one plane.
@ r0: rows (three pointers), out, pixels, step, multiplier, offset, weights (nine words)
@   step      bytes from one pixel's window to the next one's
    .macro  V6_TAP row, x, w
    ldrh    r4, [\row, #\x]        @ a widened byte: never negative
    ldr     r5, [sp, #\w]
    muls    r4, r5, r4
    adds    r3, r3, r4
    .endm

FUNCTION doppel_scalar_planar3
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    push    {r4-r6}
    movs    r1, r0
    adds    r1, r1, #48
    ldm     r1!, {r2-r6}        @ the weights to the stack, the last ones first
    sub     sp, sp, #20
    mov     r7, sp
    stm     r7!, {r2-r6}
    movs    r1, r0
    adds    r1, r1, #32
    ldm     r1!, {r2-r5}
    push    {r2-r5}
    ldr     r1, [r0, #20]
    mov     r8, r1              @ step
    ldr     r1, [r0, #24]
    mov     r9, r1              @ multiplier
    ldr     r1, [r0, #28]
    mov     r10, r1             @ offset
    ldr     r6, [r0, #12]       @ out
    ldr     r7, [r0, #16]       @ pixels left
    ldr     r2, [r0, #8]
    ldr     r1, [r0, #4]
    ldr     r0, [r0]
1:  movs    r3, #0
    V6_TAP  r0, 0, 0
    V6_TAP  r0, 2, 4
    V6_TAP  r0, 4, 8
    V6_TAP  r1, 0, 12
    V6_TAP  r1, 2, 16
    V6_TAP  r1, 4, 20
    V6_TAP  r2, 0, 24
    V6_TAP  r2, 2, 28
    V6_TAP  r2, 4, 32
    add     r0, r0, r8
    add     r1, r1, r8
    add     r2, r2, r8
    mov     r4, r9
    muls    r3, r4, r3
    add     r3, r3, r10
    lsls    r4, r3, #15         @ bit 16, which makes ties even
    lsrs    r4, r4, #31
    adds    r3, r3, r4
    asrs    r3, r3, #16
    asrs    r4, r3, #31
    bics    r3, r3, r4
    cmp     r3, #255
    ble     2f
    movs    r3, #255
2:  strb    r3, [r6]
    adds    r6, r6, #1
    subs    r7, r7, #1
    bne     1b
    add     sp, sp, #36
    pop     {r4-r6}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    pop     {r4-r7, pc}
    .text
