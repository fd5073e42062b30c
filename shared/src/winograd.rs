//! Winograd's minimal filtering F(2x2, 3x3) in exact integers: four outputs of a 3x3 convolution from 16 products, not 36.
//!
//! With the 4x4 input tile `d` and the kernel `g`, `4 y = A' [(2G g (2G)') . (B' d B)] A` (Lavin and Gray 2015, the kernel's
//! side scaled by 4 so that it stays whole), where
//!
//! ```text
//!      2  0  0          1  0 -1  0
//! 2G = 1  1  1    B' =  0  1  1  0    A' = 1  1  1  0
//!      1 -1  1          0 -1  1  0         0  1 -1 -1
//!      0  0  2          0  1  0 -1
//! ```
//!
//! An element of the kernel's side is at most 9 * 127, one of the input's side at most 4 * 255, both in absolute value.

/// Rows and columns of the outputs that a tile gives.
pub const TILE: usize = 2;
/// Products of a tile and channel: rows times columns of the input tile.
pub const PRODUCTS: usize = 16;

/// `2G g (2G)'`, by rows, of the kernel `g`, by rows.
pub fn transform_kernel(g: [i8; 9]) -> [i16; PRODUCTS] {
    let mut tile = [0; PRODUCTS];
    for (row, three) in tile.chunks_exact_mut(4).zip(g.as_chunks::<3>().0) {
        for (place, &weight) in row.iter_mut().zip(three) {
            *place = weight.into();
        }
    }
    transform(&mut tile);
    tile
}

/// Transforms the kernel that lies in the first three rows and columns.
fn transform(tile: &mut [i16; PRODUCTS]) {
    (0..3).for_each(|row| transform_line(tile, 4 * row, 1));
    (0..4).for_each(|column| transform_line(tile, column, 4));
}

/// The kernel that [`transform_kernel`] took, where there is one.
pub fn recover_kernel(u: [i16; PRODUCTS]) -> Option<[i8; 9]> {
    let mut tile = u;
    (0..4).for_each(|column| recover_line(&mut tile, column, 4));
    (0..3).for_each(|row| recover_line(&mut tile, 4 * row, 1));
    let mut g = [0; 9];
    for (three, row) in g.as_chunks_mut::<3>().0.iter_mut().zip(tile.chunks_exact(4)) {
        for (weight, &place) in three.iter_mut().zip(row) {
            *weight = i8::try_from(place).ok()?;
        }
    }
    transform(&mut tile);
    (tile == u).then_some(g)
}

/// `2G` times the line of three in `tile`, from `first` on in steps of `step`; it becomes one of four.
#[inline(never)]
fn transform_line(tile: &mut [i16; PRODUCTS], first: usize, step: usize) {
    let at = |i: usize| (first + i * step) % PRODUCTS;
    let (a, b, c) = (tile[at(0)], tile[at(1)], tile[at(2)]);
    (tile[at(0)], tile[at(1)], tile[at(2)], tile[at(3)]) = (2 * a, a + b + c, a - b + c, 2 * c);
}

/// What [`transform_line`] took, where it is what it left: the outer elements were doubled, the second one is the sum of all three.
#[inline(never)]
fn recover_line(tile: &mut [i16; PRODUCTS], first: usize, step: usize) {
    let at = |i: usize| (first + i * step) % PRODUCTS;
    let (a, sum, c) = (tile[at(0)] / 2, tile[at(1)], tile[at(3)] / 2);
    (tile[at(0)], tile[at(1)], tile[at(2)]) = (a, sum.wrapping_sub(a).wrapping_sub(c), c);
}

/// `B' d B`, by rows, of the input tile `d`, by rows.
pub fn transform_input(d: [i16; PRODUCTS]) -> [i16; PRODUCTS] {
    let line = |[a, b, c, d]: [i16; 4]| [a - c, b + c, c - b, b - d];
    let rows: [[i16; 4]; 4] = core::array::from_fn(|row| line(core::array::from_fn(|i| d[4 * row + i])));
    let columns: [[i16; 4]; 4] = core::array::from_fn(|i| line([rows[0][i], rows[1][i], rows[2][i], rows[3][i]]));
    core::array::from_fn(|at| columns[at % 4][at / 4])
}

/// `A' m A / 4`, by rows, of the sums of products `m`, by rows.
pub fn transform_output(m: [i32; PRODUCTS]) -> [i32; TILE * TILE] {
    let line = |[a, b, c, d]: [i32; 4]| [a.wrapping_add(b).wrapping_add(c), b.wrapping_sub(c).wrapping_sub(d)];
    let rows: [[i32; 2]; 4] = core::array::from_fn(|row| line(core::array::from_fn(|i| m[4 * row + i])));
    let columns: [[i32; 2]; 2] = core::array::from_fn(|i| line([rows[0][i], rows[1][i], rows[2][i], rows[3][i]]));
    core::array::from_fn(|at| columns[at % 2][at / 2] >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn four_outputs_are_the_convolution(g: [i8; 9], d: [u8; 16]) {
            let (u, v) = (transform_kernel(g), transform_input(d.map(i16::from)));
            let m = core::array::from_fn(|at| i32::from(u[at]) * i32::from(v[at]));
            for (at, y) in transform_output(m).into_iter().enumerate() {
                let tap = |t: usize| i32::from(g[t]) * i32::from(d[(at / 2 + t / 3) * 4 + at % 2 + t % 3]);
                prop_assert_eq!(y, (0..9).map(tap).sum::<i32>());
            }
        }

        #[test]
        fn the_kernel_comes_back(g: [i8; 9], at in 0..PRODUCTS, off in 1i16..100) {
            let mut u = transform_kernel(g);
            prop_assert_eq!(recover_kernel(u), Some(g));
            u[at] += off;
            prop_assert!(recover_kernel(u).is_none_or(|other| other != g && transform_kernel(other) == u));
        }
    }
}
