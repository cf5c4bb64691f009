#ifndef CK_VECTOR_H
#define CK_VECTOR_H

// Sixteen lanes of single precision, written with the compiler's vector types: one AVX-512 register,
// or two AVX or four SSE registers in the clones for older processors.

#include <stdint.h>
#include <string.h>

#include "ckernels.h"

#pragma clang diagnostic ignored "-Wpsabi"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define CK_NO_CLONES 1
#endif
#endif

// Sanitizers instrument the resolver of clones, which runs before they are ready.
#if defined(__x86_64__) && !defined(CK_NO_CLONES)
#define CK_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CK_CLONES
#endif

#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_INLINE static inline __attribute__((always_inline))

enum { LANES = 16 };

typedef float vfloat __attribute__((vector_size(64)));
typedef int32_t vint __attribute__((vector_size(64)));
typedef uint32_t vuint __attribute__((vector_size(64)));
typedef uint16_t vhalf __attribute__((vector_size(32)));

CK_INLINE vfloat splat(float x) {
  return (vfloat){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

CK_INLINE vfloat choose(vint mask, vfloat yes, vfloat no) {
  return (vfloat)((mask & (vint)yes) | (~mask & (vint)no));
}

CK_INLINE float widen(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

// Rounds to nearest, ties to even; NaN stays NaN.
CK_INLINE vhalf narrow16(vfloat x) {
  vuint bits = (vuint)x;
  vuint rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  vuint quiet = (bits >> 16) | 0x40u;
  vuint nan = (vuint)(x != x);
  return __builtin_convertvector((nan & quiet) | (~nan & rounded), vhalf);
}

CK_INLINE vfloat widen16(vhalf x) {
  return (vfloat)(__builtin_convertvector(x, vuint) << 16);
}

// Loads and stores at an element index.
CK_INLINE vfloat load_f32(const float *p) {
  vfloat x;
  memcpy(&x, p, sizeof x);
  return x;
}

CK_INLINE void store_f32(float *p, vfloat x) { memcpy(p, &x, sizeof x); }

CK_INLINE vfloat load(ck_dtype type, const void *p, int64_t index) {
  if (type == CK_F32) return load_f32((const float *)p + index);
  vhalf x;
  memcpy(&x, (const uint16_t *)p + index, sizeof x);
  return widen16(x);
}

CK_INLINE void store(ck_dtype type, void *p, int64_t index, vfloat x) {
  if (type == CK_F32) {
    store_f32((float *)p + index, x);
  } else {
    vhalf h = narrow16(x);
    memcpy((uint16_t *)p + index, &h, sizeof h);
  }
}

// The first `lanes` elements, and zeros.
CK_INLINE vfloat load_some(ck_dtype type, const void *p, int64_t index, int64_t lanes) {
  if (lanes >= LANES) return load(type, p, index);
  float buffer[LANES] = {0};
  for (int64_t i = 0; i < lanes; i++) {
    buffer[i] = type == CK_F32 ? ((const float *)p)[index + i]
                               : widen(((const uint16_t *)p)[index + i]);
  }
  return load_f32(buffer);
}

CK_INLINE void store_some(ck_dtype type, void *p, int64_t index, int64_t lanes, vfloat x) {
  if (lanes >= LANES) {
    store(type, p, index, x);
  } else if (type == CK_F32) {
    memcpy((float *)p + index, &x, (size_t)lanes * sizeof(float));
  } else {
    vhalf h = narrow16(x);
    memcpy((uint16_t *)p + index, &h, (size_t)lanes * sizeof(uint16_t));
  }
}

// The lanes moved down by half, a quarter, an eighth and a sixteenth of the vector.
#define CK_FOLD(x, operation)                                                                      \
  x = operation(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, \
                                           -1, -1, -1));                                           \
  x = operation(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1, -1,   \
                                           -1, -1, -1));                                           \
  x = operation(x, __builtin_shufflevector(x, x, 2, 3, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, \
                                           -1, -1, -1));                                           \
  x = operation(x, __builtin_shufflevector(x, x, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,    \
                                           -1, -1, -1, -1));

CK_INLINE vfloat vadd(vfloat a, vfloat b) { return a + b; }

// The larger of each lane; b where either is NaN.
CK_INLINE vfloat vmax(vfloat a, vfloat b) { return choose((vint)(a > b), a, b); }

CK_INLINE float sum_lanes(vfloat x) {
  CK_FOLD(x, vadd)
  return x[0];
}

CK_INLINE float max_lanes(vfloat x) {
  CK_FOLD(x, vmax)
  return x[0];
}

CK_INLINE vfloat vsqrt(vfloat x) { return __builtin_elementwise_sqrt(x); }

// e^x within 2 units in the last place; 0 below the smallest normal number, e^88 from 88 on, NaN for
// NaN.
CK_INLINE vfloat vexp(vfloat x) {
  // Comparisons as the processor's minimum and maximum make them: NaN comes through.
  x = choose((vint)(splat(88.f) < x), splat(88.f), x);
  x = choose((vint)(splat(-88.f) > x), splat(-88.f), x);
  vfloat shifted = x * splat(1.44269504f) + splat(12582912.f);  // rounds to an integer
  vfloat n = shifted - splat(12582912.f);
  vfloat r = x - n * splat(0.693359375f);
  r = r - n * splat(-2.12194440e-4f);
  vfloat p = splat(1.f / 5040);
  p = p * r + splat(1.f / 720);
  p = p * r + splat(1.f / 120);
  p = p * r + splat(1.f / 24);
  p = p * r + splat(1.f / 6);
  p = p * r + splat(0.5f);
  p = p * r + splat(1.f);
  p = p * r + splat(1.f);
  // 2^n: the integer is in the lowest bits of the shifted number. From -127 on down it is 0.
  vfloat scale = (vfloat)(((vuint)shifted << 23) + 0x3f800000u);
  return p * scale;
}

#endif
