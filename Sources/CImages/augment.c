#include "cimages.h"
#include "clones.h"
#include "luma.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

void cimages_map(const uint8_t *pixels, size_t count, const uint8_t *table, uint8_t *output) {
  for (size_t i = 0; i < 3 * count; i += 3) {
    output[i] = table[pixels[i]];
    output[i + 1] = table[256 + pixels[i + 1]];
    output[i + 2] = table[512 + pixels[i + 2]];
  }
}

void cimages_histogram(const uint8_t *pixels, size_t count, uint64_t *histogram) {
  memset(histogram, 0, 3 * 256 * sizeof *histogram);
  for (size_t i = 0; i < count; ++i) {
    histogram[pixels[3 * i]] += 1;
    histogram[256 + pixels[3 * i + 1]] += 1;
    histogram[512 + pixels[3 * i + 2]] += 1;
  }
}

CIMAGES_CLONES
uint64_t cimages_luma(const uint8_t *pixels, size_t count, uint8_t *luma) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    luma[i] = luma_of(pixels + 3 * i);
    sum += luma[i];
  }
  return sum;
}

/* Image.blend converts the sum to an integer without rounding; for factors inside 0 ... 1 clipping
   changes nothing. */
static inline uint8_t blend(uint8_t degenerate, uint8_t pixel, float factor) {
  float value = (float)degenerate + factor * (float)(pixel - degenerate);
  value = value < 0 ? 0 : value;
  value = value > 255 ? 255 : value;
  return (uint8_t)(int32_t)value;
}

CIMAGES_CLONES
void cimages_blend(const uint8_t *degenerate, const uint8_t *pixels, size_t count, float factor,
                   uint8_t *output) {
  for (size_t i = 0; i < 3 * count; ++i) output[i] = blend(degenerate[i], pixels[i], factor);
}

CIMAGES_CLONES
void cimages_blend_grey(const uint8_t *luma, const uint8_t *pixels, size_t count, float factor,
                        uint8_t *output) {
  for (size_t i = 0; i < count; ++i) {
    for (int c = 0; c < 3; ++c) {
      output[3 * i + c] = blend(luma[i], pixels[3 * i + c], factor);
    }
  }
}

/* Three neighbours of a row, summed before they are added: float32 sums depend on their order. */
static inline float three(const uint8_t *center, float side, float middle) {
  return (float)center[-3] * side + (float)center[0] * middle + (float)center[3] * side;
}

CIMAGES_CLONES
static void smooth_row(const uint8_t *above, const uint8_t *row, const uint8_t *below, size_t count,
                       uint8_t *output) {
  const float one = 1.0f / 13.0f, five = 5.0f / 13.0f;
  for (size_t i = 0; i < count; ++i) {
    float sum = 0.5f;
    sum += three(below + i, one, one);
    sum += three(row + i, one, five);
    sum += three(above + i, one, one);
    sum = sum > 255 ? 255 : sum;
    output[i] = (uint8_t)(int32_t)sum;
  }
}

void cimages_smooth(const uint8_t *pixels, int32_t width, int32_t height, uint8_t *output) {
  size_t row_size = (size_t)width * 3;
  if (width < 3 || height < 3) {
    memcpy(output, pixels, row_size * (size_t)height);
    return;
  }
  size_t last = (size_t)height - 1;
  memcpy(output, pixels, row_size);
  memcpy(output + last * row_size, pixels + last * row_size, row_size);
  for (size_t y = 1; y < last; ++y) {
    const uint8_t *row = pixels + y * row_size;
    uint8_t *target = output + y * row_size;
    memcpy(target, row, 3);
    memcpy(target + row_size - 3, row + row_size - 3, 3);
    smooth_row(row + 3 - row_size, row + 3, row + 3 + row_size, row_size - 6, target + 3);
  }
}

/* Fixed point holds positions below 2^15: the four corners decide. */
static int fits_fixed(const double *m, double x, double y) {
  return fabs(x * m[0] + y * m[1] + m[2]) < 32768 && fabs(x * m[3] + y * m[4] + m[5]) < 32768;
}

static int32_t fixed(double value) { return (int32_t)floor(value * 65536.0 + 0.5); }

static inline void copy_pixel(const uint8_t *pixels, int32_t width, int64_t x, int64_t y,
                              uint8_t *output) {
  const uint8_t *source = pixels + ((size_t)y * (size_t)width + (size_t)x) * 3;
  output[0] = source[0];
  output[1] = source[1];
  output[2] = source[2];
}

static void affine_fixed(const uint8_t *pixels, int32_t width, int32_t height, const double *m,
                         uint8_t *output) {
  int64_t x_row = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5);
  int64_t y_row = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
  int64_t dx_dx = fixed(m[0]), dx_dy = fixed(m[1]), dy_dx = fixed(m[3]), dy_dy = fixed(m[4]);
  for (int32_t y = 0; y < height; ++y, x_row += dx_dy, y_row += dy_dy) {
    int64_t x_in = x_row, y_in = y_row;
    for (int32_t x = 0; x < width; ++x, x_in += dx_dx, y_in += dy_dx, output += 3) {
      int64_t column = x_in >> 16, line = y_in >> 16;
      if (column >= 0 && column < width && line >= 0 && line < height) {
        copy_pixel(pixels, width, column, line, output);
      }
    }
  }
}

static void affine_float(const uint8_t *pixels, int32_t width, int32_t height, const double *m,
                         uint8_t *output) {
  double x_row = m[2] + m[1] * 0.5 + m[0] * 0.5;
  double y_row = m[5] + m[4] * 0.5 + m[3] * 0.5;
  for (int32_t y = 0; y < height; ++y, x_row += m[1], y_row += m[4]) {
    double x_in = x_row, y_in = y_row;
    for (int32_t x = 0; x < width; ++x, x_in += m[0], y_in += m[3], output += 3) {
      if (x_in >= 0 && x_in < width && y_in >= 0 && y_in < height) {
        copy_pixel(pixels, width, (int64_t)x_in, (int64_t)y_in, output);
      }
    }
  }
}

void cimages_affine_nearest(const uint8_t *pixels, int32_t width, int32_t height,
                            const double *matrix, uint8_t *output) {
  memset(output, 0, (size_t)width * (size_t)height * 3);
  if (fits_fixed(matrix, 0, 0) && fits_fixed(matrix, width, height) &&
      fits_fixed(matrix, 0, height) && fits_fixed(matrix, width, 0)) {
    affine_fixed(pixels, width, height, matrix, output);
  } else {
    affine_float(pixels, width, height, matrix, output);
  }
}

double cimages_round15(double x) {
  char digits[64];
  snprintf(digits, sizeof digits, "%.15f", x);
  return strtod(digits, NULL);
}
