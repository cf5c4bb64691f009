#include "cimages.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

/* Scans of a progressive file. Each costs a pass over the whole image while it may take a few
   bytes only; encoders write about ten. */
enum { MAXIMUM_SCANS = 100 };

typedef struct jpeg_reader {
  struct jpeg_decompress_struct cinfo;
  struct jpeg_error_mgr errors;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  cimages_header *header;
  cimages_status status;
} jpeg_reader;

static void leave(j_common_ptr cinfo) {
  jpeg_reader *reader = cinfo->client_data;
  char message[JMSG_LENGTH_MAX];
  cinfo->err->format_message(cinfo, message);
  snprintf(reader->header->message, CIMAGES_MESSAGE_SIZE, "%s", message);
  reader->status = CIMAGES_MALFORMED;
  switch (cinfo->err->msg_code) {
    case JERR_OUT_OF_MEMORY:
      reader->status = CIMAGES_OUT_OF_MEMORY;
      break;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
      reader->status = CIMAGES_UNSUPPORTED;
      break;
    default:
      break;
  }
  longjmp(reader->escape, 1);
}

static void note(j_common_ptr cinfo, int level) {
  jpeg_reader *reader = cinfo->client_data;
  if (level >= 0) return;
  if (reader->header->warnings == 0) {
    char message[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, message);
    snprintf(reader->header->message, CIMAGES_MESSAGE_SIZE, "%s", message);
  }
  if (reader->header->warnings < INT32_MAX) reader->header->warnings += 1;
}

static void ignore_message(j_common_ptr cinfo) { (void)cinfo; }

static void limit_scans(j_common_ptr cinfo) {
  jpeg_reader *reader = cinfo->client_data;
  if (!cinfo->is_decompressor || reader->cinfo.input_scan_number <= MAXIMUM_SCANS) return;
  snprintf(reader->header->message, CIMAGES_MESSAGE_SIZE, "more than %d scans", MAXIMUM_SCANS);
  reader->status = CIMAGES_MALFORMED;
  longjmp(reader->escape, 1);
}

static void ignore_source(j_decompress_ptr cinfo) { (void)cinfo; }

/* The whole file is in the buffer: asking for more means that it ends too early. Suspending, rather
   than making up an end marker as jpeg_mem_src does, is how the decoder says so. */
static boolean no_more_input(j_decompress_ptr cinfo) {
  (void)cinfo;
  return FALSE;
}

static void skip_input(j_decompress_ptr cinfo, long count) {
  struct jpeg_source_mgr *source = cinfo->src;
  if (count <= 0) return;
  size_t step = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
  source->next_input_byte += step;
  source->bytes_in_buffer -= step;
}

static cimages_status truncated(cimages_header *header) {
  snprintf(header->message, CIMAGES_MESSAGE_SIZE, "the data ends before the last pixel");
  return CIMAGES_TRUNCATED;
}

/* Fills `reader` and reads up to the first scan. Called after setjmp by both users. */
static cimages_status start(jpeg_reader *reader, const uint8_t *bytes, size_t count) {
  jpeg_create_decompress(&reader->cinfo);
  reader->source.next_input_byte = bytes;
  reader->source.bytes_in_buffer = count;
  reader->source.init_source = ignore_source;
  reader->source.fill_input_buffer = no_more_input;
  reader->source.skip_input_data = skip_input;
  reader->source.resync_to_restart = jpeg_resync_to_restart;
  reader->source.term_source = ignore_source;
  reader->cinfo.src = &reader->source;
  reader->progress.progress_monitor = limit_scans;
  reader->cinfo.progress = &reader->progress;
  if (jpeg_read_header(&reader->cinfo, TRUE) != JPEG_HEADER_OK) return truncated(reader->header);
  switch (reader->cinfo.num_components) {
    case 1:
    case 3:
      // Grey is expanded by the decoder, which copies it into all three channels.
      reader->cinfo.out_color_space = JCS_RGB;
      return CIMAGES_OK;
    case 4:
      reader->cinfo.out_color_space = JCS_CMYK;
      return CIMAGES_OK;
    default:
      snprintf(reader->header->message, CIMAGES_MESSAGE_SIZE, "%d colour components",
               reader->cinfo.num_components);
      return CIMAGES_UNSUPPORTED;
  }
}

static void prepare(jpeg_reader *reader, cimages_header *header) {
  memset(reader, 0, sizeof *reader);
  header->warnings = 0;
  header->message[0] = 0;
  reader->header = header;
  reader->cinfo.client_data = reader;
  reader->cinfo.err = jpeg_std_error(&reader->errors);
  reader->errors.error_exit = leave;
  reader->errors.emit_message = note;
  reader->errors.output_message = ignore_message;
}

cimages_status cimages_jpeg_header(const uint8_t *bytes, size_t count, cimages_header *header) {
  jpeg_reader reader;
  memset(header, 0, sizeof *header);
  prepare(&reader, header);
  if (setjmp(reader.escape)) {
    jpeg_destroy_decompress(&reader.cinfo);
    return reader.status;
  }
  cimages_status status = start(&reader, bytes, count);
  if (status == CIMAGES_OK) {
    header->width = reader.cinfo.image_width;
    header->height = reader.cinfo.image_height;
    header->channels = 3;
  }
  jpeg_destroy_decompress(&reader.cinfo);
  return status;
}

/* Adobe stores CMYK inverted, and Pillow takes every CMYK file for one of Adobe's. */
static void rgb_from_inverted_cmyk(const uint8_t *cmyk, uint32_t width, uint8_t *rgb) {
  for (uint32_t x = 0; x < width; ++x) {
    unsigned light = cmyk[4 * x + 3];
    for (int c = 0; c < 3; ++c) {
      unsigned product = (255u - cmyk[4 * x + c]) * light + 128;
      rgb[3 * x + c] = (uint8_t)(light - (((product >> 8) + product) >> 8));
    }
  }
}

static cimages_status read_rows(jpeg_reader *reader, uint8_t *pixels, uint8_t *cmyk) {
  struct jpeg_decompress_struct *cinfo = &reader->cinfo;
  size_t row_size = (size_t)cinfo->output_width * 3;
  while (cinfo->output_scanline < cinfo->output_height) {
    uint8_t *target = pixels + cinfo->output_scanline * row_size;
    JSAMPROW row = cmyk ? cmyk : target;
    if (jpeg_read_scanlines(cinfo, &row, 1) != 1) return truncated(reader->header);
    if (cmyk) rgb_from_inverted_cmyk(cmyk, cinfo->output_width, target);
  }
  return CIMAGES_OK;
}

cimages_status cimages_jpeg_decode(const uint8_t *bytes, size_t count, cimages_header *header,
                                   uint8_t *pixels, size_t capacity) {
  jpeg_reader reader;
  uint8_t *volatile cmyk = NULL;
  prepare(&reader, header);
  if (setjmp(reader.escape)) {
    jpeg_destroy_decompress(&reader.cinfo);
    free(cmyk);
    return reader.status;
  }
  cimages_status status = start(&reader, bytes, count);
  if (status == CIMAGES_OK && !jpeg_start_decompress(&reader.cinfo)) status = truncated(header);
  if (status == CIMAGES_OK &&
      (reader.cinfo.output_width != header->width || reader.cinfo.output_height != header->height ||
       (size_t)header->width * header->height * 3 > capacity)) {
    snprintf(header->message, CIMAGES_MESSAGE_SIZE, "the size changes within the file");
    status = CIMAGES_MALFORMED;
  }
  if (status == CIMAGES_OK && reader.cinfo.out_color_space == JCS_CMYK) {
    cmyk = malloc((size_t)header->width * 4);
    if (!cmyk) status = CIMAGES_OUT_OF_MEMORY;
  }
  if (status == CIMAGES_OK) status = read_rows(&reader, pixels, cmyk);
  jpeg_destroy_decompress(&reader.cinfo);
  free(cmyk);
  return status;
}
