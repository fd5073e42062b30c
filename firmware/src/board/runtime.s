@ What compiled code calls for memory and for 64-bit division (the run-time ABI of Arm), small rather than fast: the library's own
@ takes 5 KB. Loads and stores may be unaligned on these cores.

    .syntax unified
    .thumb

    .macro  ENTRY name
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    .endm

    .section .text.doppel_move, "ax", %progbits
    .balign 4
@ r0: to, r1: from, r2: bytes; r0 stays. They may overlap.
ENTRY memmove
ENTRY __aeabi_memmove
ENTRY __aeabi_memmove4
ENTRY __aeabi_memmove8
    subs    r3, r0, r1
    cmp     r3, r2
    bhs     memcpy              @ what is written was read before
    add     r1, r1, r2
    add     r12, r0, r2
1:  subs    r2, r2, #4
    itt     hs
    ldrhs   r3, [r1, #-4]!
    strhs   r3, [r12, #-4]!
    bhi     1b
    adds    r2, r2, #4
    ands    r2, r2, #3
2:  subs    r2, r2, #1
    itt     hs
    ldrbhs  r3, [r1, #-1]!
    strbhs  r3, [r12, #-1]!
    bhi     2b
    bx      lr

@ r0: to, r1: from, r2: bytes; r0 stays. From lower addresses on.
ENTRY memcpy
ENTRY __aeabi_memcpy
ENTRY __aeabi_memcpy4
ENTRY __aeabi_memcpy8
    mov     r12, r0
    subs    r2, r2, #16
    blo     2f
1:  ldr     r3, [r1], #4
    str     r3, [r12], #4
    ldr     r3, [r1], #4
    str     r3, [r12], #4
    ldr     r3, [r1], #4
    str     r3, [r12], #4
    ldr     r3, [r1], #4
    str     r3, [r12], #4
    subs    r2, r2, #16
    bhs     1b
2:  adds    r2, r2, #12         @ 4 less than are left
    bmi     4f
3:  ldr     r3, [r1], #4
    str     r3, [r12], #4
    subs    r2, r2, #4
    bpl     3b
4:  adds    r2, r2, #4
    beq     6f
5:  ldrb    r3, [r1], #1
    strb    r3, [r12], #1
    subs    r2, r2, #1
    bne     5b
6:  bx      lr

    .section .text.doppel_fill, "ax", %progbits
    .balign 4
@ r0: to, r1: byte, r2: bytes; r0 stays.
ENTRY memset
    mov     r3, r1
    mov     r1, r2
    mov     r2, r3
    b       __aeabi_memset
@ r0: to, r1: bytes.
ENTRY __aeabi_memclr
ENTRY __aeabi_memclr4
ENTRY __aeabi_memclr8
    movs    r2, #0
@ r0: to, r1: bytes, r2: byte.
ENTRY __aeabi_memset
ENTRY __aeabi_memset4
ENTRY __aeabi_memset8
    uxtb    r2, r2
    orr     r2, r2, r2, lsl #8
    orr     r2, r2, r2, lsl #16
    mov     r12, r0
    subs    r1, r1, #16
    blo     2f
1:  str     r2, [r12], #4
    str     r2, [r12], #4
    str     r2, [r12], #4
    str     r2, [r12], #4
    subs    r1, r1, #16
    bhs     1b
2:  adds    r1, r1, #12
    bmi     4f
3:  str     r2, [r12], #4
    subs    r1, r1, #4
    bpl     3b
4:  adds    r1, r1, #4
    beq     6f
5:  strb    r2, [r12], #1
    subs    r1, r1, #1
    bne     5b
6:  bx      lr

    .section .text.doppel_compare, "ax", %progbits
    .balign 4
@ r0, r1: from, r2: bytes; less than, equal to or greater than 0 as the first bytes that differ.
ENTRY memcmp
ENTRY bcmp
    cbz     r2, 2f
    add     r2, r2, r0
    mov     r12, r0
1:  ldrb    r0, [r12], #1
    ldrb    r3, [r1], #1
    subs    r0, r0, r3
    bne     3f
    cmp     r12, r2
    bne     1b
2:  movs    r0, #0
3:  bx      lr

    .section .text.doppel_divide, "ax", %progbits
    .balign 4
@ r1:r0 / r3:r2, both unsigned: quotient r1:r0, remainder r3:r2. A divisor of one word is shifted up to its first bit and gives
@ the quotient's lower word by halves; one of two words, bit by bit.
ENTRY __aeabi_uldivmod
    push    {r4-r7, r8, lr}
    movs    r4, #0              @ the quotient's upper word
    movs    r5, #0              @ the remainder's
    cbnz    r3, 1f
    udiv    r4, r1, r2
    mls     r1, r4, r2, r1
    clz     r3, r2
    lsls    r2, r2, r3
    rsb     r6, r3, #32
    lsr     r6, r0, r6
    lsls    r1, r1, r3
    orrs    r1, r1, r6
    lsls    r0, r0, r3
    lsrs    r7, r2, #16
    lsrs    r6, r0, #16
    bl      5f
    uxth    r6, r0
    lsls    r0, r5, #16
    bl      5f
    orrs    r0, r0, r5
    lsrs    r1, r1, r3
    movs    r5, #0
    b       4f
1:  movs    r6, #32             @ r5:r1 below r3:r2, bits of r0 still to come
2:  adds    r0, r0, r0
    adcs    r1, r1, r1
    adcs    r5, r5, r5
    subs    r7, r1, r2
    sbcs    r8, r5, r3
    ittt    hs
    movhs   r1, r7
    movhs   r5, r8
    addhs   r0, r0, #1
    subs    r6, r6, #1
    bne     2b
4:  mov     r2, r1
    mov     r3, r5
    mov     r1, r4
    pop     {r4-r7, r8, pc}
@ (r1, halfword r6) / r2, whose upper half is r7, with r1 below r2: quotient r5, at first up to 2 too large, remainder r1.
5:  udiv    r5, r1, r7
    umull   r8, r12, r5, r2
    orr     r6, r6, r1, lsl #16
    lsrs    r1, r1, #16
    subs    r6, r6, r8
    sbcs    r1, r1, r12
    bpl     7f
6:  subs    r5, r5, #1
    adds    r6, r6, r2
    adcs    r1, r1, #0
    bmi     6b
7:  mov     r1, r6
    bx      lr

    .section .text.doppel_divide_signed, "ax", %progbits
    .balign 4
@ The same, both signed; the remainder has the dividend's sign.
ENTRY __aeabi_ldivmod
    push    {r4-r6, lr}
    eor     r4, r1, r3
    movs    r5, r1
    bpl     1f
    rsbs    r0, r0, #0
    sbc     r1, r1, r1, lsl #1
1:  cmp     r3, #0
    bge     2f
    rsbs    r2, r2, #0
    sbc     r3, r3, r3, lsl #1
2:  bl      __aeabi_uldivmod
    cmp     r4, #0
    bge     3f
    rsbs    r0, r0, #0
    sbc     r1, r1, r1, lsl #1
3:  cmp     r5, #0
    bge     4f
    rsbs    r2, r2, #0
    sbc     r3, r3, r3, lsl #1
4:  pop     {r4-r6, pc}
