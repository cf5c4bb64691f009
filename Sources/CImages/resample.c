#include "cimages.h"
#include "clones.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

enum { FRACTION_BITS = 32 - 8 - 2 };

/* Taps of one output position along one side. */
typedef struct taps {
  int32_t first; /* first input position */
  int32_t count;
} taps;

/* The filter of one side for a run of output positions: `weights` holds `stride` a position. */
typedef struct side {
  taps *taps;
  int32_t *weights;
  size_t stride;
} side;

static double bicubic(double x) {
  const double a = -0.5;
  if (x < 0) x = -x;
  if (x < 1) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

static double filter_scale(int32_t length, int64_t resized) {
  double scale = (double)length / (double)resized;
  return scale < 1 ? 1 : scale;
}

static size_t tap_stride(int32_t length, int64_t resized) {
  return (size_t)ceil(2.0 * filter_scale(length, resized)) * 2 + 1;
}

/* Pillow's precompute_coeffs and normalize_coeffs_8bpc, for `count` positions from `start` on;
   `exact` has room for one position's weights. */
static void compute_taps(side *side, int32_t length, int64_t resized, int64_t start, int32_t count,
                         double *exact) {
  double scale = (double)length / (double)resized;
  double stretch = filter_scale(length, resized);
  double support = 2.0 * stretch;
  double shrink = 1.0 / stretch;
  for (int32_t i = 0; i < count; ++i) {
    double center = ((double)(start + i) + 0.5) * scale;
    double sum = 0;
    int32_t low = (int32_t)(center - support + 0.5);
    if (low < 0) low = 0;
    double end = center + support + 0.5;
    int32_t high = end > length ? length : (int32_t)end;
    int32_t *weights = side->weights + (size_t)i * side->stride;
    int32_t taken = high - low;
    for (int32_t t = 0; t < taken; ++t) {
      exact[t] = bicubic((t + low - center + 0.5) * shrink);
      sum += exact[t];
    }
    for (int32_t t = 0; t < taken; ++t) {
      double weight = sum != 0 ? exact[t] / sum : exact[t];
      double fixed = weight * (1 << FRACTION_BITS);
      weights[t] = (int32_t)(weight < 0 ? -0.5 + fixed : 0.5 + fixed);
    }
    side->taps[i] = (taps){low, taken};
  }
}

static inline uint8_t clip(int32_t value) {
  value >>= FRACTION_BITS;
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

typedef int32_t int4 __attribute__((vector_size(16)));
typedef uint8_t byte4 __attribute__((vector_size(4)));

/* One row, `count` output pixels. A pixel is loaded as 4 bytes, of which the last is dropped: `row` needs
   one readable byte behind its end. */
CIMAGES_CLONES
static void filter_row(const uint8_t *row, const taps *taps, const int32_t *weights, size_t stride,
                       int32_t count, uint8_t *output) {
  for (int32_t i = 0; i < count; ++i) {
    const uint8_t *source = row + (size_t)taps[i].first * 3;
    const int32_t *weight = weights + (size_t)i * stride;
    int32_t half = 1 << (FRACTION_BITS - 1);
    int4 sum = {half, half, half, half};
    for (int32_t t = 0; t < taps[i].count; ++t) {
      byte4 bytes;
      memcpy(&bytes, source + 3 * (size_t)t, 4);
      sum += __builtin_convertvector(bytes, int4) * weight[t];
    }
    output[3 * (size_t)i] = clip(sum[0]);
    output[3 * (size_t)i + 1] = clip(sum[1]);
    output[3 * (size_t)i + 2] = clip(sum[2]);
  }
}

/* One output row from `count` rows of `row_size` bytes. */
CIMAGES_CLONES
static void filter_column(const uint8_t *rows, size_t row_size, const int32_t *weights,
                          int32_t count, uint8_t *output) {
  enum { BLOCK = 64 };
  int32_t sums[BLOCK];
  size_t start = 0;
  for (; start + BLOCK <= row_size; start += BLOCK) {
    for (int i = 0; i < BLOCK; ++i) sums[i] = 1 << (FRACTION_BITS - 1);
    for (int32_t t = 0; t < count; ++t) {
      const uint8_t *source = rows + (size_t)t * row_size + start;
      int32_t weight = weights[t];
      for (int i = 0; i < BLOCK; ++i) sums[i] += source[i] * weight;
    }
    for (int i = 0; i < BLOCK; ++i) output[start + i] = clip(sums[i]);
  }
  for (; start < row_size; ++start) {
    int32_t sum = 1 << (FRACTION_BITS - 1);
    for (int32_t t = 0; t < count; ++t) sum += rows[(size_t)t * row_size + start] * weights[t];
    output[start] = clip(sum);
  }
}

static size_t aligned(size_t size) { return (size + 15) & ~(size_t)15; }

/* Exact weights of one position, the two sides, the intermediate rows, one padded input row. */
size_t cimages_resize_scratch(int32_t width, int32_t height, int64_t resized_width,
                              int64_t resized_height, cimages_window window) {
  size_t across = tap_stride(width, resized_width);
  size_t down = tap_stride(height, resized_height);
  size_t widest = across > down ? across : down;
  return aligned(widest * sizeof(double)) + aligned((size_t)window.width * sizeof(taps)) +
         aligned((size_t)window.width * across * sizeof(int32_t)) +
         aligned((size_t)window.height * sizeof(taps)) +
         aligned((size_t)window.height * down * sizeof(int32_t)) +
         aligned((size_t)height * (size_t)window.width * 3) + aligned((size_t)width * 3 + 4);
}

static void *take(uint8_t **scratch, size_t size) {
  uint8_t *taken = *scratch;
  *scratch += aligned(size);
  return taken;
}

void cimages_resize_bicubic(const uint8_t *pixels, int32_t width, int32_t height,
                            int64_t resized_width, int64_t resized_height, cimages_window window,
                            uint8_t *output, void *scratch) {
  uint8_t *memory = scratch;
  size_t columns = (size_t)window.width, lines = (size_t)window.height;
  side across = {0}, down = {0};
  across.stride = tap_stride(width, resized_width);
  down.stride = tap_stride(height, resized_height);
  size_t widest = across.stride > down.stride ? across.stride : down.stride;
  double *exact = take(&memory, widest * sizeof(double));
  across.taps = take(&memory, columns * sizeof(taps));
  across.weights = take(&memory, columns * across.stride * sizeof(int32_t));
  down.taps = take(&memory, lines * sizeof(taps));
  down.weights = take(&memory, lines * down.stride * sizeof(int32_t));
  uint8_t *between = take(&memory, (size_t)height * columns * 3);
  uint8_t *padded = take(&memory, (size_t)width * 3 + 4);

  int filters_height = resized_height != height;
  int32_t first, last;
  if (!filters_height) {
    first = (int32_t)window.y;
    last = first + window.height;
  } else {
    compute_taps(&down, height, resized_height, window.y, window.height, exact);
    first = down.taps[0].first;
    last = down.taps[lines - 1].first + down.taps[lines - 1].count;
  }
  size_t row_size = (size_t)width * 3;
  if (resized_width != width) {
    compute_taps(&across, width, resized_width, window.x, window.width, exact);
  }
  for (int32_t y = first; y < last; ++y) {
    const uint8_t *row = pixels + (size_t)y * row_size;
    uint8_t *target = between + (size_t)(y - first) * columns * 3;
    if (resized_width == width) {
      memcpy(target, row + (size_t)window.x * 3, columns * 3);
      continue;
    }
    if (y == height - 1) {
      memcpy(padded, row, row_size);
      memset(padded + row_size, 0, 4);
      row = padded;
    }
    filter_row(row, across.taps, across.weights, across.stride, window.width, target);
  }
  if (!filters_height) {
    memcpy(output, between, lines * columns * 3);
    return;
  }
  for (size_t y = 0; y < lines; ++y) {
    filter_column(between + (size_t)(down.taps[y].first - first) * columns * 3, columns * 3,
                  down.weights + y * down.stride, down.taps[y].count, output + y * columns * 3);
  }
}

void cimages_planes(const uint8_t *pixels, size_t count, const float *table, float *output) {
  for (int c = 0; c < 3; ++c) {
    const float *values = table + 256 * c;
    float *plane = output + (size_t)c * count;
    for (size_t i = 0; i < count; ++i) plane[i] = values[pixels[3 * i + c]];
  }
}
