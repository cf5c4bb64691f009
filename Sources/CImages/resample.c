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

static double bilinear(double x) {
  if (x < 0) x = -x;
  return x < 1 ? 1 - x : 0;
}

static double bicubic(double x) {
  const double a = -0.5;
  if (x < 0) x = -x;
  if (x < 1) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/* Half the filter's width at scale 1. */
static double filter_support(cimages_filter filter) {
  return filter == CIMAGES_BILINEAR ? 1.0 : 2.0;
}

static double filter_value(cimages_filter filter, double x) {
  return filter == CIMAGES_BILINEAR ? bilinear(x) : bicubic(x);
}

static double filter_scale(int32_t length, int64_t resized) {
  double scale = (double)length / (double)resized;
  return scale < 1 ? 1 : scale;
}

/* Room for the taps of the wider filter. */
static size_t tap_stride(int32_t length, int64_t resized) {
  return (size_t)ceil(2.0 * filter_scale(length, resized)) * 2 + 1;
}

/* Pillow's precompute_coeffs and normalize_coeffs_8bpc, for `count` positions from `start` on;
   `exact` has room for one position's weights. */
static void compute_taps(side *side, cimages_filter filter, int32_t length, int64_t resized,
                         int64_t start, int32_t count, double *exact) {
  double scale = (double)length / (double)resized;
  double stretch = filter_scale(length, resized);
  double support = filter_support(filter) * stretch;
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
      exact[t] = filter_value(filter, (t + low - center + 0.5) * shrink);
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

/* One row, `count` output pixels. A pixel is loaded as 4 bytes, of which the last is dropped: `row`
   needs one readable byte behind its end. */
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

/* One output row of `size` bytes from `count` rows that are `row_size` bytes apart. */
CIMAGES_CLONES
static void filter_column(const uint8_t *rows, size_t row_size, const int32_t *weights,
                          int32_t count, size_t size, uint8_t *output) {
  enum { BLOCK = 64 };
  int32_t sums[BLOCK];
  size_t start = 0;
  for (; start + BLOCK <= size; start += BLOCK) {
    for (int i = 0; i < BLOCK; ++i) sums[i] = 1 << (FRACTION_BITS - 1);
    for (int32_t t = 0; t < count; ++t) {
      const uint8_t *source = rows + (size_t)t * row_size + start;
      int32_t weight = weights[t];
      for (int i = 0; i < BLOCK; ++i) sums[i] += source[i] * weight;
    }
    for (int i = 0; i < BLOCK; ++i) output[start + i] = clip(sums[i]);
  }
  for (; start < size; ++start) {
    int32_t sum = 1 << (FRACTION_BITS - 1);
    for (int32_t t = 0; t < count; ++t) sum += rows[(size_t)t * row_size + start] * weights[t];
    output[start] = clip(sum);
  }
}

/* Whether Pillow (since 13.0) filters vertically first: when the height loses more than twice as
   many pixels as the width. The order decides which sums are rounded to 8 bits in between. */
static int is_vertical_first(int32_t width, int32_t height, int64_t resized_width,
                             int64_t resized_height) {
  return resized_height < height && resized_width != width &&
         height - resized_height > 2 * (width - resized_width);
}

static size_t aligned(size_t size) { return (size + 15) & ~(size_t)15; }

/* Bytes of the rows between the passes; the last pixel is loaded with one byte more. */
static size_t between_size(int32_t width, int32_t height, int vertical_first,
                           cimages_window window) {
  size_t pixels = vertical_first ? (size_t)width * (size_t)window.height
                                 : (size_t)height * (size_t)window.width;
  return pixels * 3 + 4;
}

size_t cimages_resize_scratch(int32_t width, int32_t height, int64_t resized_width,
                              int64_t resized_height, cimages_window window) {
  size_t across = tap_stride(width, resized_width);
  size_t down = tap_stride(height, resized_height);
  size_t widest = across > down ? across : down;
  int vertical_first = is_vertical_first(width, height, resized_width, resized_height);
  return aligned(widest * sizeof(double)) + aligned((size_t)window.width * sizeof(taps)) +
         aligned((size_t)window.width * across * sizeof(int32_t)) +
         aligned((size_t)window.height * sizeof(taps)) +
         aligned((size_t)window.height * down * sizeof(int32_t)) +
         aligned(between_size(width, height, vertical_first, window)) +
         aligned((size_t)width * 3 + 4);
}

static void *take(uint8_t **scratch, size_t size) {
  uint8_t *taken = *scratch;
  *scratch += aligned(size);
  return taken;
}

/* The part of the input that a side's taps read: `taps->first` on, `taps->count` positions. */
static taps read_range(const side *side, int32_t count) {
  taps last = side->taps[count - 1];
  int32_t first = side->taps[0].first;
  return (taps){first, last.first + last.count - first};
}

/* Both passes, vertical first. */
static void resize_down_across(const uint8_t *pixels, int32_t width, cimages_window window,
                               side across, side down, uint8_t *between, uint8_t *output) {
  size_t row_size = (size_t)width * 3;
  taps columns = read_range(&across, window.width);
  size_t size = (size_t)columns.count * 3;
  for (int32_t y = 0; y < window.height; ++y) {
    filter_column(pixels + (size_t)down.taps[y].first * row_size + (size_t)columns.first * 3,
                  row_size, down.weights + (size_t)y * down.stride, down.taps[y].count, size,
                  between + (size_t)y * size);
  }
  for (int32_t x = 0; x < window.width; ++x) across.taps[x].first -= columns.first;
  for (int32_t y = 0; y < window.height; ++y) {
    filter_row(between + (size_t)y * size, across.taps, across.weights, across.stride,
               window.width, output + (size_t)y * (size_t)window.width * 3);
  }
}

void cimages_resize(const uint8_t *pixels, int32_t width, int32_t height, int64_t resized_width,
                    int64_t resized_height, cimages_filter filter, cimages_window window,
                    uint8_t *output, void *scratch) {
  uint8_t *memory = scratch;
  size_t columns = (size_t)window.width, lines = (size_t)window.height;
  int vertical_first = is_vertical_first(width, height, resized_width, resized_height);
  side across = {0}, down = {0};
  across.stride = tap_stride(width, resized_width);
  down.stride = tap_stride(height, resized_height);
  size_t widest = across.stride > down.stride ? across.stride : down.stride;
  double *exact = take(&memory, widest * sizeof(double));
  across.taps = take(&memory, columns * sizeof(taps));
  across.weights = take(&memory, columns * across.stride * sizeof(int32_t));
  down.taps = take(&memory, lines * sizeof(taps));
  down.weights = take(&memory, lines * down.stride * sizeof(int32_t));
  uint8_t *between = take(&memory, between_size(width, height, vertical_first, window));
  uint8_t *padded = take(&memory, (size_t)width * 3 + 4);

  taps rows = {(int32_t)window.y, window.height};
  if (resized_width != width) {
    compute_taps(&across, filter, width, resized_width, window.x, window.width, exact);
  }
  if (resized_height != height) {
    compute_taps(&down, filter, height, resized_height, window.y, window.height, exact);
    rows = read_range(&down, window.height);
  }
  if (vertical_first) {
    resize_down_across(pixels, width, window, across, down, between, output);
    return;
  }
  size_t row_size = (size_t)width * 3;
  for (int32_t y = 0; y < rows.count; ++y) {
    const uint8_t *row = pixels + (size_t)(rows.first + y) * row_size;
    uint8_t *target = between + (size_t)y * columns * 3;
    if (resized_width == width) {
      memcpy(target, row + (size_t)window.x * 3, columns * 3);
      continue;
    }
    if (rows.first + y == height - 1) {
      memcpy(padded, row, row_size);
      memset(padded + row_size, 0, 4);
      row = padded;
    }
    filter_row(row, across.taps, across.weights, across.stride, window.width, target);
  }
  if (resized_height == height) {
    memcpy(output, between, lines * columns * 3);
    return;
  }
  for (size_t y = 0; y < lines; ++y) {
    filter_column(between + (size_t)(down.taps[y].first - rows.first) * columns * 3, columns * 3,
                  down.weights + y * down.stride, down.taps[y].count, columns * 3,
                  output + y * columns * 3);
  }
}

void cimages_planes(const uint8_t *pixels, size_t count, const float *table, float *output) {
  for (int c = 0; c < 3; ++c) {
    const float *values = table + 256 * c;
    float *plane = output + (size_t)c * count;
    for (size_t i = 0; i < count; ++i) plane[i] = values[pixels[3 * i + c]];
  }
}
