/**
 * @file cimages.h
 * @brief Image files and image arithmetic for CleanCLIPKit.
 *
 * Images are 8-bit, interleaved (HWC), rows without padding. No function keeps a pointer, prints,
 * or jumps out of this library: errors of the codecs come back as a status and a message. All
 * functions may be called from several threads at once.
 */
#ifndef CIMAGES_H
#define CIMAGES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @brief What a codec found. */
typedef enum cimages_status {
  CIMAGES_OK = 0,
  CIMAGES_MALFORMED = 1,     /**< The file breaks its format. */
  CIMAGES_TRUNCATED = 2,     /**< The file ends before its last pixel. */
  CIMAGES_UNSUPPORTED = 3,   /**< A valid file of a kind that is not read. */
  CIMAGES_OUT_OF_MEMORY = 4
} cimages_status;

enum { CIMAGES_MESSAGE_SIZE = 200 };

/** @brief What a file's header says, and what reading it brought up. */
typedef struct cimages_header {
  uint32_t width;
  uint32_t height;
  int32_t channels;     /**< Of the decoded pixels: 3 (RGB) or 4 (RGBA, not premultiplied). */
  int32_t is_animated;  /**< 1 when the file holds more frames than the first one, which is read. */
  int32_t warnings;     /**< Damage that the codec worked around; `message` holds the first. */
  char message[CIMAGES_MESSAGE_SIZE];  /**< NUL-terminated; empty when there is nothing to say. */
} cimages_header;

/**
 * @brief Reads the header of a JPEG, PNG or WebP file without decoding pixels.
 * @param[in] bytes the file, borrowed for the call
 * @param[in] count bytes in the file
 * @param[out] header filled on CIMAGES_OK; on failure only `message` is set
 */
cimages_status cimages_jpeg_header(const uint8_t *bytes, size_t count, cimages_header *header);
cimages_status cimages_png_header(const uint8_t *bytes, size_t count, cimages_header *header);
cimages_status cimages_webp_header(const uint8_t *bytes, size_t count, cimages_header *header);

/**
 * @brief Decodes a file whose header was read by the function above.
 * @param[in] bytes the same file
 * @param[in] count bytes in the file
 * @param[in,out] header what the header function returned; warnings and message are updated
 * @param[out] pixels `[height, width, channels]`
 * @param[in] capacity bytes in `pixels`, at least height * width * channels
 */
cimages_status cimages_jpeg_decode(const uint8_t *bytes, size_t count, cimages_header *header,
                                   uint8_t *pixels, size_t capacity);
cimages_status cimages_png_decode(const uint8_t *bytes, size_t count, cimages_header *header,
                                  uint8_t *pixels, size_t capacity);
cimages_status cimages_webp_decode(const uint8_t *bytes, size_t count, cimages_header *header,
                                   uint8_t *pixels, size_t capacity);

/** @brief An encoded file in memory; give it back with cimages_buffer_free. */
typedef struct cimages_buffer {
  uint8_t *bytes;
  size_t count;
} cimages_buffer;

/**
 * @brief Encodes an RGB image.
 * @param[in] pixels `[height, width, 3]`
 * @param[in] quality 1 ... 100, JPEG only; chroma is subsampled 2x2, as Pillow does by default
 * @param[out] buffer the file; NULL and 0 on failure
 * @param[out] message CIMAGES_MESSAGE_SIZE bytes, what went wrong
 */
cimages_status cimages_jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height,
                                   int32_t quality, cimages_buffer *buffer, char *message);
cimages_status cimages_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height,
                                  cimages_buffer *buffer, char *message);
void cimages_buffer_free(cimages_buffer *buffer);

/**
 * @brief Composites RGBA on white, and counts what the alpha channel conceals.
 *
 * `rgb = (rgba * a + 255 * (255 - a)) / 255`, rounded.
 *
 * @param[in] rgba `[count, 4]`
 * @param[out] rgb `[count, 3]`
 * @param[out] difference mean absolute difference between composite and stored RGB, 0 ... 255
 * @param[out] concealed `[256]`: stored luma of the pixels whose composite differs by more than 16
 * @return 1 when any pixel is not opaque
 */
int32_t cimages_composite_on_white(const uint8_t *rgba, size_t count, uint8_t *rgb,
                                   double *difference, uint64_t *concealed);

/** @brief A part of a resized image, in pixels of the resized image. */
typedef struct cimages_window {
  int64_t x;
  int64_t y;
  int32_t width;
  int32_t height;
} cimages_window;

/** @brief Pillow's filters, stretched by the scale when the image shrinks. */
typedef enum cimages_filter { CIMAGES_BICUBIC = 0, CIMAGES_BILINEAR = 1 } cimages_filter;

/**
 * @brief Returns the scratch bytes that cimages_resize needs.
 */
size_t cimages_resize_scratch(int32_t width, int32_t height, int64_t resized_width,
                              int64_t resized_height, cimages_window window);

/**
 * @brief Resizes by one of Pillow's antialiased filters (bicubic: a = -0.5), keeping a window of the
 * result.
 *
 * Two passes with 22 fractional bits and 8 bits in between, as Pillow's Image.resize; a
 * side that keeps its length is not filtered. The horizontal pass comes first, but the vertical
 * one when the height loses more than twice as many pixels as the width: Pillow 13's order.
 * Earlier releases always start horizontally, and differ there by rounding.
 *
 * @param[in] pixels `[height, width, 3]`
 * @param[in] resized_width width of the whole resized image
 * @param[in] resized_height height of the whole resized image
 * @param[in] window the part to compute, inside the resized image
 * @param[out] output `[window.height, window.width, 3]`
 * @param[in] scratch 16-byte-aligned memory of cimages_resize_scratch bytes
 */
void cimages_resize(const uint8_t *pixels, int32_t width, int32_t height, int64_t resized_width,
                    int64_t resized_height, cimages_filter filter, cimages_window window,
                    uint8_t *output, void *scratch);

/**
 * @brief Writes `table[c][value]` for each channel, channels first.
 * @param[in] pixels `[count, 3]`
 * @param[in] table `[3, 256]`
 * @param[out] output `[3, count]`
 */
void cimages_planes(const uint8_t *pixels, size_t count, const float *table, float *output);

/**
 * @brief Replaces every value by its entry in the channel's table.
 * @param[in] table `[3, 256]`
 * @param[out] output `[count, 3]`, may alias `pixels`
 */
void cimages_map(const uint8_t *pixels, size_t count, const uint8_t *table, uint8_t *output);

/**
 * @brief Counts the values of each channel.
 * @param[out] histogram `[3, 256]`
 */
void cimages_histogram(const uint8_t *pixels, size_t count, uint64_t *histogram);

/**
 * @brief Writes Pillow's luma, (19595 R + 38470 G + 7471 B + 32768) >> 16, and returns its sum.
 * @param[out] luma `[count]`
 */
uint64_t cimages_luma(const uint8_t *pixels, size_t count, uint8_t *luma);

/**
 * @brief Moves between a degenerate image (factor 0) and the image (factor 1), as Image.blend.
 *
 * `output = degenerate + factor * (pixels - degenerate)`, in float32, clipped and truncated.
 * The degenerate image of the second form is one grey value a pixel.
 */
void cimages_blend(const uint8_t *degenerate, const uint8_t *pixels, size_t count, float factor,
                   uint8_t *output);
void cimages_blend_grey(const uint8_t *luma, const uint8_t *pixels, size_t count, float factor,
                        uint8_t *output);

/**
 * @brief Applies Pillow's SMOOTH filter, 3x3 with weights 1 and 5 over 13; the border is copied.
 * @param[out] output `[height, width, 3]`, not overlapping `pixels`
 */
void cimages_smooth(const uint8_t *pixels, int32_t width, int32_t height, uint8_t *output);

/**
 * @brief Samples the nearest pixel at an affine map of the output position, as Image.transform.
 *
 * `x_in = m[0] x + m[1] y + m[2]`, `y_in = m[3] x + m[4] y + m[5]` at pixel centres; what is
 * outside is black. In 16.16 fixed point while coordinates stay below 32768, else in float64.
 *
 * @param[in] matrix m, 6 values
 * @param[out] output `[height, width, 3]`, not overlapping `pixels`
 */
void cimages_affine_nearest(const uint8_t *pixels, int32_t width, int32_t height,
                            const double *matrix, uint8_t *output);

/** @brief Rounds to 15 decimals as Python's round(x, 15) does. */
double cimages_round15(double x);

#ifdef __cplusplus
}
#endif

#endif
