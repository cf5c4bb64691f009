#include "cimages.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

/* Bytes that one ancillary chunk (text, colour profile) may unpack to. */
enum { MAXIMUM_CHUNK = 8 << 20 };

typedef struct png_reader {
  png_structp png;
  png_infop info;
  const uint8_t *bytes;
  size_t count;
  size_t position;
  cimages_header *header;
  cimages_status status;
} png_reader;

static void leave(png_structp png, png_const_charp text) {
  png_reader *reader = png_get_error_ptr(png);
  if (reader->status == CIMAGES_OK) {
    snprintf(reader->header->message, CIMAGES_MESSAGE_SIZE, "%s", text);
    reader->status = CIMAGES_MALFORMED;
  }
  png_longjmp(png, 1);
}

/* Warnings concern ancillary chunks, which carry no pixels. */
static void ignore_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void read_bytes(png_structp png, png_bytep target, size_t count) {
  png_reader *reader = png_get_io_ptr(png);
  if (count > reader->count - reader->position) {
    snprintf(reader->header->message, CIMAGES_MESSAGE_SIZE, "the data ends before the last chunk");
    reader->status = CIMAGES_TRUNCATED;
    png_error(png, "truncated");
  }
  memcpy(target, reader->bytes + reader->position, count);
  reader->position += count;
}

/* Makes the decoder and reads the header; `reader->png` is NULL when memory is short. */
static void prepare(png_reader *reader, const uint8_t *bytes, size_t count,
                    cimages_header *header) {
  memset(reader, 0, sizeof *reader);
  header->warnings = 0;
  header->message[0] = 0;
  reader->bytes = bytes;
  reader->count = count;
  reader->header = header;
  reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, leave, ignore_warning);
  if (!reader->png) return;
  reader->info = png_create_info_struct(reader->png);
  if (!reader->info) png_destroy_read_struct(&reader->png, NULL, NULL);
}

/* Reads up to the first pixel, asks for 8-bit RGB, or RGBA where the file has any transparency, and
   returns the number of channels. */
static int start(png_reader *reader) {
  png_structp png = reader->png;
  png_set_read_fn(png, reader, read_bytes);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_chunk_malloc_max(png, MAXIMUM_CHUNK);
  png_read_info(png, reader->info);
  int colour = png_get_color_type(png, reader->info);
  int depth = png_get_bit_depth(png, reader->info);
  int has_key = png_get_valid(png, reader->info, PNG_INFO_tRNS) != 0;
  if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (has_key) png_set_tRNS_to_alpha(png);
  // The high byte, as Pillow reads 16-bit colour.
  if (depth == 16) png_set_strip_16(png);
  if (!(colour & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(png);
  return (colour & PNG_COLOR_MASK_ALPHA) || has_key ? 4 : 3;
}

cimages_status cimages_png_header(const uint8_t *bytes, size_t count, cimages_header *header) {
  png_reader reader;
  memset(header, 0, sizeof *header);
  prepare(&reader, bytes, count, header);
  if (!reader.png) return CIMAGES_OUT_OF_MEMORY;
  if (setjmp(png_jmpbuf(reader.png))) {
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return reader.status;
  }
  header->channels = start(&reader);
  header->width = png_get_image_width(reader.png, reader.info);
  header->height = png_get_image_height(reader.png, reader.info);
  png_destroy_read_struct(&reader.png, &reader.info, NULL);
  return CIMAGES_OK;
}

cimages_status cimages_png_decode(const uint8_t *bytes, size_t count, cimages_header *header,
                                  uint8_t *pixels, size_t capacity) {
  png_reader reader;
  prepare(&reader, bytes, count, header);
  if (!reader.png) return CIMAGES_OUT_OF_MEMORY;
  if (setjmp(png_jmpbuf(reader.png))) {
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return reader.status;
  }
  int channels = start(&reader);
  int passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  size_t row_size = (size_t)header->width * (size_t)header->channels;
  if (channels != header->channels || row_size != png_get_rowbytes(reader.png, reader.info) ||
      header->height != png_get_image_height(reader.png, reader.info) ||
      (capacity / row_size) < header->height) {
    png_error(reader.png, "the pixels do not match the header");
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (uint32_t y = 0; y < header->height; ++y) {
      png_read_row(reader.png, pixels + y * row_size, NULL);
    }
  }
  // Checks the last chunk's checksum and that the file is complete.
  png_read_end(reader.png, NULL);
  png_destroy_read_struct(&reader.png, &reader.info, NULL);
  return CIMAGES_OK;
}
