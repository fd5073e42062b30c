# The inner loops of 32-bit RISC-V cores with a multiplication.

    .option push
    .option arch, +m
    .section .text.doppel_kernels, "ax", @progbits

    .macro  FUNCTION name
    .balign 4
    .global \name
    .type   \name, @function
\name:
    .endm

# S = sum x * (256 * b + a) and A = sum x * a over one row's pairs of input channels, for two output channels.
# a0 x: a word each for every pair, `pitch` bytes from pair to pair; a1 the first weights; a2 behind the last ones; a3 pitch
# -> a0 S, a1 A

# One word of x and one of weights: products in S (t0) and A (t1). The low byte of a halfword 256 * b + a is a.
    .macro  RV_WORD x, w
    lhu     t2, \x(a0)
    lh      t3, \w(a1)
    lb      t4, \w(a1)
    lhu     t5, \x+2(a0)
    mul     t3, t3, t2
    mul     t4, t4, t2
    add     t0, t0, t3
    add     t1, t1, t4
    lh      t3, \w+2(a1)
    lb      t4, \w+2(a1)
    mul     t3, t3, t5
    mul     t4, t4, t5
    add     t0, t0, t3
    add     t1, t1, t4
    .endm

# One column: two pairs a round.
FUNCTION doppel_scalar_row1
    li      t0, 0
    li      t1, 0
1:  RV_WORD 0, 0
    add     a0, a0, a3
    RV_WORD 0, 8
    add     a0, a0, a3
    addi    a1, a1, 16
    bne     a1, a2, 1b
    mv      a0, t0
    mv      a1, t1
    ret

# Three columns.
FUNCTION doppel_scalar_row3
    li      t0, 0
    li      t1, 0
1:  RV_WORD 0, 0
    RV_WORD 4, 8
    RV_WORD 8, 16
    add     a0, a0, a3
    addi    a1, a1, 24
    bne     a1, a2, 1b
    mv      a0, t0
    mv      a1, t1
    ret

# One output row of a 3x3 convolution of one plane.
# a0: rows (three pointers), out, pixels, step, multiplier, offset, weights (nine words)
#   step      bytes from one pixel's window to the next one's
    .macro  RV_TAP row, x, w
    lhu     s9, \x(\row)
    mul     s9, s9, \w
    add     t0, t0, s9
    .endm

FUNCTION doppel_scalar_planar3
    addi    sp, sp, -48
    sw      s0, 0(sp)
    sw      s1, 4(sp)
    sw      s2, 8(sp)
    sw      s3, 12(sp)
    sw      s4, 16(sp)
    sw      s5, 20(sp)
    sw      s6, 24(sp)
    sw      s7, 28(sp)
    sw      s8, 32(sp)
    sw      s9, 36(sp)
    lw      a1, 0(a0)           # rows
    lw      a2, 4(a0)
    lw      a3, 8(a0)
    lw      a4, 12(a0)          # out
    lw      a5, 16(a0)          # pixels left
    lw      a6, 20(a0)          # step
    lw      t1, 24(a0)          # multiplier
    lw      t2, 28(a0)          # offset
    lw      s0, 32(a0)          # weights
    lw      s1, 36(a0)
    lw      s2, 40(a0)
    lw      s3, 44(a0)
    lw      s4, 48(a0)
    lw      s5, 52(a0)
    lw      s6, 56(a0)
    lw      s7, 60(a0)
    lw      s8, 64(a0)
    li      a7, 255
1:  lhu     t0, 0(a1)
    mul     t0, t0, s0
    RV_TAP  a1, 2, s1
    RV_TAP  a1, 4, s2
    RV_TAP  a2, 0, s3
    RV_TAP  a2, 2, s4
    RV_TAP  a2, 4, s5
    RV_TAP  a3, 0, s6
    RV_TAP  a3, 2, s7
    RV_TAP  a3, 4, s8
    add     a1, a1, a6
    add     a2, a2, a6
    add     a3, a3, a6
    mul     t0, t0, t1
    add     t0, t0, t2
    slli    t3, t0, 15          # bit 16, which makes ties even
    srli    t3, t3, 31
    add     t0, t0, t3
    srai    t0, t0, 16
    bgez    t0, 2f
    li      t0, 0
2:  ble     t0, a7, 3f
    mv      t0, a7
3:  sb      t0, 0(a4)
    addi    a4, a4, 1
    addi    a5, a5, -1
    bnez    a5, 1b
    lw      s0, 0(sp)
    lw      s1, 4(sp)
    lw      s2, 8(sp)
    lw      s3, 12(sp)
    lw      s4, 16(sp)
    lw      s5, 20(sp)
    lw      s6, 24(sp)
    lw      s7, 28(sp)
    lw      s8, 32(sp)
    lw      s9, 36(sp)
    addi    sp, sp, 48
    ret
    .option pop
    .text
