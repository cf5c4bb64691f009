/**
 * @file cleanclip/bank.h
 * @brief Checks of inputs by a bank of clean ones.
 *
 * While a model is in use, each image is judged by its feature, at a rate of false alarms that the caller
 * chooses. A bank of clean images' features is made once. Without the error checks:
 *
 * @code{.c}
 * cleanclip_bank *bank;
 * cleanclip_bank_create(clean_features, clean_count, embed_dim, &bank);
 * cleanclip_check_inputs(bank, features, count, embed_dim, 0.01, scores, flags);
 * cleanclip_bank_free(bank);
 * @endcode
 *
 * Features are unnormalized: cleanclip_encode_options::normalize is 0 where they are computed.
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_BANK_H
#define CLEANCLIP_BANK_H

#include <stdint.h>

#include "check.h"
#include "model.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Clean images' features, against which others are judged. */
typedef struct cleanclip_bank cleanclip_bank;

/**
 * Makes a bank.
 *
 * @param[in] image_features [count, embed_dim] of clean images, not normalised; copied.
 * @param[in] count At least 50; 200 are enough for a false-alarm rate of 0.01.
 * @param[in] embed_dim E of the model that the features are of.
 * @param[out] out_bank To be freed with cleanclip_bank_free().
 * @return CLEANCLIP_INVALID_ARGUMENT: too few, NaN, or all equal.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_create(const float *image_features, int64_t count,
                                                     int64_t embed_dim, cleanclip_bank **out_bank);

/**
 * Says which model a bank's features are of, which is saved with it. From then on, no other model is accepted: its
 * features would be judged by distances that mean nothing.
 *
 * Models are told apart by some of each tensor's weights and by how images are prepared, in well under the time of
 * encoding an image.
 *
 * @param[in,out] bank Made from features of this model.
 * @param[in] model Only read.
 * @return CLEANCLIP_INVALID_ARGUMENT: the bank is of another model; CLEANCLIP_SHAPE: so it is, by its width.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_set_model(cleanclip_bank *bank, const cleanclip_model *model);

/**
 * Adds images to a bank, but for those that it has: of the kind that came in since it was made, and that are known to
 * be clean.
 *
 * @param[in,out] bank As before when this fails.
 * @param[in] image_features [count, embed_dim], not normalised; copied.
 * @param[in] count May be 0.
 * @param[in] embed_dim That of the bank.
 * @param[out] out_added How many are new; may be NULL.
 * @return CLEANCLIP_INVALID_ARGUMENT: NaN; CLEANCLIP_SHAPE.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_extend(cleanclip_bank *bank, const float *image_features,
                                                     int64_t count, int64_t embed_dim, int64_t *out_added);

/**
 * Adds class texts to a bank, which give images two more signals: the product with a direction
 * between matching and distracted descriptions of the classes (BDetCLIP), and the part of the
 * feature outside the span of the texts.
 *
 * @param[in,out] bank Made from features of the same model.
 * @param[in] model The one that the bank's features are of, as for cleanclip_bank_set_model().
 * @param[in] tokenizer Its vocabulary is the model's.
 * @param[in] classes Class names, none NULL.
 * @param[in] class_count Elements of `classes`, at least 1.
 * @param[in] templates Prompts with "{}", none NULL.
 * @param[in] template_count Elements of `templates`; 0: "a photo of a {}".
 * @return CLEANCLIP_INVALID_ARGUMENT; CLEANCLIP_SHAPE: the model does not fit the bank;
 *   CLEANCLIP_UNSUPPORTED: it has no text tower.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_add_classes(
    cleanclip_bank *bank, const cleanclip_model *model, const cleanclip_tokenizer *tokenizer,
    const char *const *classes, int64_t class_count, const char *const *templates,
    int64_t template_count);

/**
 * Reads a bank.
 *
 * @param[in] path What cleanclip_bank_save() wrote.
 * @param[out] out_bank To be freed with cleanclip_bank_free().
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: no readable file; CLEANCLIP_FORMAT: not a bank.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_load(const char *path, cleanclip_bank **out_bank);

/**
 * Writes a bank as a safetensors file.
 *
 * @param[in] bank The bank.
 * @param[in] path Where to.
 * @return CLEANCLIP_IO.
 */
CLEANCLIP_API cleanclip_status cleanclip_bank_save(const cleanclip_bank *bank, const char *path);

/** Frees a bank. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_bank_free(cleanclip_bank *bank);

/**
 * Judges images by their features.
 *
 * @param[in] bank Clean images' features by the same model.
 * @param[in] image_features [count, embed_dim], not normalised; borrowed for the call.
 * @param[in] count May be 0.
 * @param[in] embed_dim That of the bank.
 * @param[in] false_alarm_rate Fraction of clean images that may be flagged.
 * @param[out] out_scores Room for `count` scores; higher is more suspicious; may be NULL.
 * @param[out] out_flags Room for `count` flags, 1 for a trigger; may be NULL.
 * @return CLEANCLIP_INVALID_ARGUMENT: the bank is too small for the rate; CLEANCLIP_SHAPE.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_inputs(const cleanclip_bank *bank,
                                                      const float *image_features, int64_t count,
                                                      int64_t embed_dim, double false_alarm_rate,
                                                      float *out_scores, int32_t *out_flags);

/**
 * Judges a set of images, such as a day's: is more flagged than chance gives, and are the images of another kind than
 * the bank's?
 *
 * The verdict is CLEANCLIP_VERDICT_CANNOT_TELL where the images are of another kind and the flagged ones are not alike,
 * as a trigger makes them: then cleanclip_bank_extend() helps. cleanclip_check_scores() gives the score of each image,
 * cleanclip_check_json() what `cleanclip check input --json` prints.
 *
 * @param[in] bank Clean images' features by the same model.
 * @param[in] image_features [count, embed_dim], not normalised; borrowed for the call.
 * @param[in] count 0 gives CLEANCLIP_VERDICT_CANNOT_TELL.
 * @param[in] embed_dim That of the bank.
 * @param[in] false_alarm_rate Fraction of clean images that may be flagged.
 * @param[out] out_check To be freed with cleanclip_check_free().
 * @return CLEANCLIP_INVALID_ARGUMENT: the bank is too small for the rate; CLEANCLIP_SHAPE.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_input_set(const cleanclip_bank *bank,
                                                         const float *image_features, int64_t count,
                                                         int64_t embed_dim, double false_alarm_rate,
                                                         cleanclip_check **out_check);

#ifdef __cplusplus
}
#endif

#endif
