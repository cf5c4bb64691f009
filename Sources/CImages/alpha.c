#include "cimages.h"
#include "luma.h"

#include <string.h>

int32_t cimages_composite_on_white(const uint8_t *rgba, size_t count, uint8_t *rgb,
                                   double *difference, uint64_t *concealed) {
  uint64_t total = 0;
  int32_t is_transparent = 0;
  memset(concealed, 0, 256 * sizeof *concealed);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t *source = rgba + 4 * i;
    uint32_t alpha = source[3];
    uint32_t changed = 0;
    if (alpha != 255) is_transparent = 1;
    for (int c = 0; c < 3; ++c) {
      uint32_t value = (source[c] * alpha + 255 * (255 - alpha) + 127) / 255;
      rgb[3 * i + c] = (uint8_t)value;
      changed += value - source[c]; /* white only lightens */
    }
    total += changed;
    if (changed > 3 * 16) concealed[luma_of(source)] += 1;
  }
  *difference = count ? (double)total / (3.0 * (double)count) : 0;
  return is_transparent;
}
