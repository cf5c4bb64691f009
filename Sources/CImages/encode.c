#include "cimages.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

void cimages_buffer_free(cimages_buffer *buffer) {
  free(buffer->bytes);
  buffer->bytes = NULL;
  buffer->count = 0;
}

/* Doubles the memory of `buffer` and makes room for `more` bytes; 0 when there is none. */
static int grow(cimages_buffer *buffer, size_t *capacity, size_t more) {
  size_t wanted = *capacity * 2 + more + 4096;
  uint8_t *grown = realloc(buffer->bytes, wanted);
  if (!grown) return 0;
  buffer->bytes = grown;
  *capacity = wanted;
  return 1;
}

typedef struct jpeg_writer {
  struct jpeg_compress_struct cinfo;
  struct jpeg_error_mgr errors;
  struct jpeg_destination_mgr destination;
  jmp_buf escape;
  cimages_buffer *buffer;
  size_t capacity;
  char *message;
} jpeg_writer;

static void leave_jpeg(j_common_ptr cinfo) {
  jpeg_writer *writer = cinfo->client_data;
  char message[JMSG_LENGTH_MAX];
  cinfo->err->format_message(cinfo, message);
  snprintf(writer->message, CIMAGES_MESSAGE_SIZE, "%s", message);
  longjmp(writer->escape, 1);
}

static void ignore_message(j_common_ptr cinfo) { (void)cinfo; }

/* Called with everything up to the capacity written, and once at the start. */
static boolean grow_output(j_compress_ptr cinfo) {
  jpeg_writer *writer = cinfo->client_data;
  size_t written = writer->capacity;
  if (!grow(writer->buffer, &writer->capacity, 0)) ERREXIT1(cinfo, JERR_OUT_OF_MEMORY, 0);
  writer->destination.next_output_byte = writer->buffer->bytes + written;
  writer->destination.free_in_buffer = writer->capacity - written;
  return TRUE;
}

static void start_output(j_compress_ptr cinfo) { grow_output(cinfo); }

static void finish_output(j_compress_ptr cinfo) {
  jpeg_writer *writer = cinfo->client_data;
  writer->buffer->count = writer->capacity - writer->destination.free_in_buffer;
}

cimages_status cimages_jpeg_encode(const uint8_t *pixels, uint32_t width, uint32_t height,
                                   int32_t quality, cimages_buffer *buffer, char *message) {
  jpeg_writer writer;
  memset(&writer, 0, sizeof writer);
  buffer->bytes = NULL;
  buffer->count = 0;
  message[0] = 0;
  writer.buffer = buffer;
  writer.message = message;
  writer.cinfo.client_data = &writer;
  writer.cinfo.err = jpeg_std_error(&writer.errors);
  writer.errors.error_exit = leave_jpeg;
  writer.errors.output_message = ignore_message;
  if (setjmp(writer.escape)) {
    jpeg_destroy_compress(&writer.cinfo);
    cimages_buffer_free(buffer);
    return CIMAGES_MALFORMED;
  }
  jpeg_create_compress(&writer.cinfo);
  writer.destination.init_destination = start_output;
  writer.destination.empty_output_buffer = grow_output;
  writer.destination.term_destination = finish_output;
  writer.cinfo.dest = &writer.destination;
  writer.cinfo.image_width = width;
  writer.cinfo.image_height = height;
  writer.cinfo.input_components = 3;
  writer.cinfo.in_color_space = JCS_RGB;
  jpeg_set_defaults(&writer.cinfo);
  jpeg_set_quality(&writer.cinfo, quality, TRUE);
  jpeg_start_compress(&writer.cinfo, TRUE);
  size_t row_size = (size_t)width * 3;
  while (writer.cinfo.next_scanline < height) {
    // libjpeg's rows are not const, but the compressor only reads them.
    JSAMPROW row = (JSAMPROW)(pixels + writer.cinfo.next_scanline * row_size);
    jpeg_write_scanlines(&writer.cinfo, &row, 1);
  }
  jpeg_finish_compress(&writer.cinfo);
  jpeg_destroy_compress(&writer.cinfo);
  return CIMAGES_OK;
}

typedef struct png_writer {
  cimages_buffer *buffer;
  size_t capacity;
  char *message;
} png_writer;

static void leave_png(png_structp png, png_const_charp text) {
  png_writer *writer = png_get_error_ptr(png);
  snprintf(writer->message, CIMAGES_MESSAGE_SIZE, "%s", text);
  png_longjmp(png, 1);
}

static void ignore_png(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void append_bytes(png_structp png, png_bytep bytes, size_t count) {
  png_writer *writer = png_get_io_ptr(png);
  cimages_buffer *buffer = writer->buffer;
  if (count > writer->capacity - buffer->count && !grow(buffer, &writer->capacity, count)) {
    png_error(png, "not enough memory");
  }
  memcpy(buffer->bytes + buffer->count, bytes, count);
  buffer->count += count;
}

static void flush_nothing(png_structp png) { (void)png; }

cimages_status cimages_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height,
                                  cimages_buffer *buffer, char *message) {
  png_writer writer = {buffer, 0, message};
  buffer->bytes = NULL;
  buffer->count = 0;
  message[0] = 0;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, leave_png, ignore_png);
  if (!png) return CIMAGES_OUT_OF_MEMORY;
  png_infop info = png_create_info_struct(png);
  if (!info) {
    png_destroy_write_struct(&png, NULL);
    return CIMAGES_OUT_OF_MEMORY;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    cimages_buffer_free(buffer);
    return CIMAGES_MALFORMED;
  }
  png_set_write_fn(png, &writer, append_bytes, flush_nothing);
  png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (uint32_t y = 0; y < height; ++y) {
    png_write_row(png, pixels + (size_t)y * width * 3);
  }
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return CIMAGES_OK;
}
