@ Sums of whole planes: an average pool over everything.
@ r0: bytes, read, len, channels, step, count, out, written, table (a word each)
@   bytes     the first channel's plane, `read` bytes from one to the next one, `len` of it, at least 1
@   channels  {multiplier, offset}, `step` bytes from one to the next one
@   count     of channels, at least 1
@   out       the first channel's byte, `written` bytes from one to the next one
@   table     or 0

FUNCTION doppel_pool
    push    {r4-r11, lr}
    ldr     r9, [r0, #32]
    ldm     r0, {r0-r7}         @ bytes, read, len, channels, step, count, out, written
    push    {r2, r9}            @ len, table
1:  ldr     r9, [sp]
    mov     r8, r0
    mov     r2, #0              @ what USADA8 takes the difference to
    mov     r12, #0
    subs    r9, r9, #4
    blo     3f
2:  ldr     r11, [r8], #4
    usada8  r12, r11, r2, r12
    subs    r9, r9, #4
    bhs     2b
3:  adds    r9, r9, #4
    beq     5f
4:  ldrb    r11, [r8], #1
    add     r12, r12, r11
    subs    r9, r9, #1
    bne     4b
5:  ldrd    r10, r11, [r3]
    ldr     r9, [sp, #4]
    add     r3, r3, r4
    SCALE   r12, r10, r11, r8
    BYTE    r12
    cmp     r9, #0
    it      ne
    ldrbne  r12, [r9, r12]
    strb    r12, [r6]
    add     r6, r6, r7
    add     r0, r0, r1
    subs    r5, r5, #1
    bne     1b
    add     sp, sp, #8
    pop     {r4-r11, pc}
