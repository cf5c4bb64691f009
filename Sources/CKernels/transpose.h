#ifndef CK_TRANSPOSE_H
#define CK_TRANSPOSE_H

#include "vector.h"

// One exchange of a transposition: lanes whose number has the bit `d` trade places with rows whose
// number has it.
#define CK_LOW(d, j) ((j) & (d) ? LANES + (j) - (d) : (j))
#define CK_HIGH(d, j) ((j) & (d) ? LANES + (j) : (j) + (d))
#define CK_MASK(side, d)                                                                     \
  side(d, 0), side(d, 1), side(d, 2), side(d, 3), side(d, 4), side(d, 5), side(d, 6),        \
      side(d, 7), side(d, 8), side(d, 9), side(d, 10), side(d, 11), side(d, 12), side(d, 13), \
      side(d, 14), side(d, 15)
#define CK_EXCHANGE(r, d)                                                         \
  CK_UNROLL for (int i = 0; i < LANES; i++) {                                               \
    if (i & (d)) continue;                                                        \
    vuint low = __builtin_shufflevector(r[i], r[i + (d)], CK_MASK(CK_LOW, d));    \
    vuint high = __builtin_shufflevector(r[i], r[i + (d)], CK_MASK(CK_HIGH, d));  \
    r[i] = low;                                                                   \
    r[i + (d)] = high;                                                            \
  }

/// Transposes a 16 × 16 matrix of 32-bit elements in registers (Eklundh 1972).
CK_INLINE void transpose16(vuint r[LANES]) {
  CK_EXCHANGE(r, 1)
  CK_EXCHANGE(r, 2)
  CK_EXCHANGE(r, 4)
  CK_EXCHANGE(r, 8)
}

#endif
