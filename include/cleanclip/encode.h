/**
 * @file cleanclip/encode.h
 * @brief Features of images, texts and token ids.
 *
 * All functions take n inputs and write features [n, E] into memory of the caller.
 *
 * @code{.c}
 * const char *texts[] = {"a photo of a cat", "a photo of a dog"};
 * size_t capacity = 2 * (size_t)cleanclip_model_embed_dim(model);
 * float *features = malloc(capacity * sizeof *features);
 * cleanclip_model_encode_texts(model, tokenizer, texts, 2, NULL, features, capacity);
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_ENCODE_H
#define CLEANCLIP_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "computing.h"
#include "data.h"
#include "model.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How features are computed. */
typedef struct cleanclip_encode_options {
  size_t struct_size;  /**< Set by cleanclip_encode_options_init(). */
  int64_t batch_size;  /**< Images or texts computed at a time, 1 to 65536; default 64. */
  int32_t normalize;   /**< 1: L2-normalized features; 0: unnormalized; default 1. */
  int32_t precision;   /**< A cleanclip_precision; default CLEANCLIP_PRECISION_F32. */
} cleanclip_encode_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_encode_options_init(cleanclip_encode_options *options,
                                                 size_t struct_size);

/**
 * Computes features of images whose pixels are single-precision numbers in 0 … 1.
 *
 * @param[in] model The model to compute with.
 * @param[in] pixels [n, 3, height, width], red, green, blue, in 0 … 1; normalised inside with the
 *   model's mean and standard deviation.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] height S.
 * @param[in] width S.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_SHAPE: height or width is not S; CLEANCLIP_STATE: no image tower;
 *   CLEANCLIP_INVALID_ARGUMENT: a pixel is not a number in 0 … 1, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_images_f32(
    const cleanclip_model *model, const float *pixels, int64_t count, int64_t height,
    int64_t width, const cleanclip_encode_options *options, float *out_features,
    size_t out_capacity);

/**
 * Computes features of images whose pixels are bytes.
 *
 * Images are prepared as the model's are (see cleanclip_model_options): CLIP's own have the shorter side
 * resized to S as Pillow's bicubic filter does it, a center crop, and are normalised.
 *
 * @param[in] model The model to compute with.
 * @param[in] pixels [n, height, width, 3], red, green, blue.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] height 1 … 65535.
 * @param[in] width 1 … 65535.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_STATE: no image tower; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_images_u8(
    const cleanclip_model *model, const uint8_t *pixels, int64_t count, int64_t height,
    int64_t width, const cleanclip_encode_options *options, float *out_features,
    size_t out_capacity);

/**
 * Computes features of images in files: JPEG, PNG or WebP, by content.
 *
 * @param[in] model The model to compute with.
 * @param[in] paths n paths, none NULL.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: a file cannot be read; CLEANCLIP_FORMAT: a file is
 *   not a valid image; CLEANCLIP_STATE: no image tower; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_image_files(
    const cleanclip_model *model, const char *const *paths, int64_t count,
    const cleanclip_encode_options *options, float *out_features, size_t out_capacity);

/**
 * Computes features of what the ONNX graph itself takes as input: images that are prepared and
 * normalised already.
 *
 * @param[in] model The model to compute with.
 * @param[in] inputs [n, 3, S, S].
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_STATE: no image tower; CLEANCLIP_INVALID_ARGUMENT: an input is not finite, and
 *   the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_image_inputs(
    const cleanclip_model *model, const float *inputs, int64_t count,
    const cleanclip_encode_options *options, float *out_features, size_t out_capacity);

/**
 * Computes features of the images of a dataset, in its order: files, or what the host hands over.
 *
 * @param[in] model The model to compute with.
 * @param[in] dataset n images.
 * @param[in] options NULL for the defaults.
 * @param[in] callback Called with images done and all; non-zero cancels; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_NOT_FOUND, CLEANCLIP_IO or CLEANCLIP_FORMAT: the first image that cannot be read;
 *   CLEANCLIP_CANCELLED; CLEANCLIP_STATE: no image tower; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_dataset(
    const cleanclip_model *model, const cleanclip_dataset *dataset,
    const cleanclip_encode_options *options, cleanclip_count_callback callback, void *user_data,
    float *out_features, size_t out_capacity);

/**
 * Computes features of texts.
 *
 * @param[in] model The model to compute with.
 * @param[in] tokenizer Its vocabulary is the model's.
 * @param[in] texts n texts, none NULL.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_STATE: no text tower; CLEANCLIP_INVALID_ARGUMENT: the tokenizer has more ids
 *   than the model, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_texts(
    const cleanclip_model *model, const cleanclip_tokenizer *tokenizer, const char *const *texts,
    int64_t count, const cleanclip_encode_options *options, float *out_features,
    size_t out_capacity);

/**
 * Computes features of token ids.
 *
 * The feature is that of the end-of-text token; what follows it does not matter.
 *
 * @param[in] model The model to compute with.
 * @param[in] ids [n, length]; each in 0 … cleanclip_model_vocab_size() - 1.
 * @param[in] count n ≥ 0; 0 writes nothing.
 * @param[in] length 1 … L.
 * @param[in] options NULL for the defaults.
 * @param[out] out_features [n, E].
 * @param[in] out_capacity Elements that `out_features` has room for; at least n * E.
 * @return CLEANCLIP_SHAPE: `length` is more than L; CLEANCLIP_STATE: no text tower;
 *   CLEANCLIP_INVALID_ARGUMENT: an id is out of range, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_encode_tokens(
    const cleanclip_model *model, const int32_t *ids, int64_t count, int64_t length,
    const cleanclip_encode_options *options, float *out_features, size_t out_capacity);

#ifdef __cplusplus
}
#endif

#endif
