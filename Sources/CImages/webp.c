#include "cimages.h"

#include <stdio.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static cimages_status report(VP8StatusCode code, cimages_header *header) {
  const char *text = "the data breaks the format";
  cimages_status status = CIMAGES_MALFORMED;
  switch (code) {
    case VP8_STATUS_OK:
      return CIMAGES_OK;
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      text = "the data ends before the last pixel";
      status = CIMAGES_TRUNCATED;
      break;
    case VP8_STATUS_OUT_OF_MEMORY:
      text = "not enough memory to decode it";
      status = CIMAGES_OUT_OF_MEMORY;
      break;
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      text = "it uses a feature that the decoder does not know";
      status = CIMAGES_UNSUPPORTED;
      break;
    default:
      break;
  }
  snprintf(header->message, CIMAGES_MESSAGE_SIZE, "%s", text);
  return status;
}

cimages_status cimages_webp_header(const uint8_t *bytes, size_t count, cimages_header *header) {
  memset(header, 0, sizeof *header);
  WebPBitstreamFeatures features;
  VP8StatusCode code = WebPGetFeatures(bytes, count, &features);
  if (code != VP8_STATUS_OK) return report(code, header);
  header->width = (uint32_t)features.width;
  header->height = (uint32_t)features.height;
  header->is_animated = features.has_animation != 0;
  // A frame may leave part of the canvas transparent.
  header->channels = features.has_alpha || features.has_animation ? 4 : 3;
  return CIMAGES_OK;
}

static cimages_status decode_first_frame(const uint8_t *bytes, size_t count,
                                         cimages_header *header, uint8_t *pixels) {
  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options)) return report(VP8_STATUS_INVALID_PARAM, header);
  options.color_mode = MODE_RGBA;
  options.use_threads = 0;
  WebPData data = {bytes, count};
  WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, &options);
  if (!decoder) return report(VP8_STATUS_BITSTREAM_ERROR, header);
  WebPAnimInfo info;
  uint8_t *canvas = NULL;
  int timestamp = 0;
  VP8StatusCode code = VP8_STATUS_BITSTREAM_ERROR;
  if (WebPAnimDecoderGetInfo(decoder, &info) && info.canvas_width == header->width &&
      info.canvas_height == header->height &&
      WebPAnimDecoderGetNext(decoder, &canvas, &timestamp)) {
    memcpy(pixels, canvas, (size_t)header->width * header->height * 4);
    code = VP8_STATUS_OK;
  }
  WebPAnimDecoderDelete(decoder);
  return report(code, header);
}

cimages_status cimages_webp_decode(const uint8_t *bytes, size_t count, cimages_header *header,
                                   uint8_t *pixels, size_t capacity) {
  header->warnings = 0;
  header->message[0] = 0;
  size_t row_size = (size_t)header->width * (size_t)header->channels;
  if (row_size == 0 || capacity / row_size < header->height) {
    return report(VP8_STATUS_INVALID_PARAM, header);
  }
  if (header->is_animated) return decode_first_frame(bytes, count, header, pixels);
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return report(VP8_STATUS_INVALID_PARAM, header);
  config.output.colorspace = header->channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = (int)row_size;
  config.output.u.RGBA.size = row_size * header->height;
  VP8StatusCode code = WebPDecode(bytes, count, &config);
  if (code == VP8_STATUS_OK && ((uint32_t)config.output.width != header->width ||
                                (uint32_t)config.output.height != header->height)) {
    code = VP8_STATUS_BITSTREAM_ERROR;
  }
  WebPFreeDecBuffer(&config.output);
  return report(code, header);
}
