#ifndef CIMAGES_LUMA_H
#define CIMAGES_LUMA_H

#include <stdint.h>

/* ITU-R 601-2 luma in Pillow's fixed point. */
static inline uint8_t luma_of(const uint8_t *rgb) {
  return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

#endif
