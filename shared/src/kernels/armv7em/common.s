@ What every kernel file uses.

    .syntax unified
    .section .text.doppel_kernels, "ax", %progbits
    .thumb

    .macro  FUNCTION name
    .balign 4
    LABEL   \name
    .endm

@ A label whose address can be jumped to.
    .macro  LABEL name
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    .endm

@ sum -> product with everything added but the tie's bit: p = sum * multiplier + offset; p += bit 16 of p.
    .macro  SCALE sum, multiplier, offset, t
    mla     \sum, \sum, \multiplier, \offset
    ubfx    \t, \sum, #16, #1
    add     \sum, \sum, \t
    .endm

@ Saturates a scaled sum to a byte.
    .macro  BYTE p
    usat    \p, #8, \p, asr #16
    .endm

FUNCTION doppel_kernels_start
