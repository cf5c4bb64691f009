/**
 * @file cleanclip/evaluate.h
 * @brief Zero-shot accuracy and attack success rate.
 *
 * cleanclip_evaluate() classifies labelled images without and, on request, with a trigger.
 *
 * @code{.c}
 * cleanclip_evaluate_options options;
 * cleanclip_evaluate_options_init(&options, sizeof options);
 * options.classes_path = "classes.txt";
 * options.trigger = trigger;
 * options.target = "banana";
 * cleanclip_evaluation *evaluation;
 * cleanclip_evaluate(model, tokenizer, labelled, &options, NULL, NULL, &evaluation);
 * cleanclip_scores scores;
 * cleanclip_scores_init(&scores, sizeof scores);
 * cleanclip_evaluation_scores(evaluation, &scores);
 * printf("%.3f\n", scores.attack_success_rate[CLEANCLIP_TOP1].value);
 * cleanclip_evaluation_free(evaluation);
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_EVALUATE_H
#define CLEANCLIP_EVALUATE_H

#include <stddef.h>
#include <stdint.h>

#include "attack.h"
#include "data.h"
#include "encode.h"
#include "model.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What was measured: counts, rates with intervals, accuracy of each class. */
typedef struct cleanclip_evaluation cleanclip_evaluation;

/** What is measured, with which classes. */
typedef struct cleanclip_evaluate_options {
  size_t struct_size;             /**< Set by cleanclip_evaluate_options_init(). */
  const char *classes_path;       /**< A text file with a class name on each line; or instead: */
  const char *const *classes;     /**< the class names, */
  int64_t class_count;            /**< as many as this. */
  const char *templates_path;     /**< A text file with a prompt with "{}" on each line; or instead: */
  const char *const *templates;   /**< the prompts, */
  int64_t template_count;         /**< as many as this; none by default (0): "a photo of a {}". */
  const cleanclip_trigger *trigger; /**< None by default (NULL): clean accuracy only. */
  const char *target;             /**< Class name or index that the trigger aims at; with a
                                       trigger and only then; none by default (NULL). */
  int64_t batch_size;             /**< Images computed at a time, 1 to 65536; default 64. */
  uint64_t seed;                  /**< Of the trigger's positions and noise; default 0. */
  int32_t precision;              /**< A cleanclip_precision; default CLEANCLIP_PRECISION_F32. */
  int32_t reserved;               /**< 0. */
  const float *class_features;    /**< [class_count, class_embed_dim] in place of
                                       prompts, of any length but 0, none equal to
                                       that of another name; none by default
                                       (NULL): prompts are embedded. */
  int64_t class_embed_dim;        /**< Columns of `class_features`: those of the
                                       model's features. */
} cleanclip_evaluate_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_evaluate_options_init(cleanclip_evaluate_options *options,
                                                   size_t struct_size);

/**
 * Measures zero-shot clean accuracy and the success of an attack.
 *
 * A class is the normalised mean of the features of its prompts; an image belongs to the class
 * with the largest cosine similarity. The attack succeeds on an image of another class when the
 * trigger turns it into the target; images of the target class are not attacked.
 *
 * @param[in] model The model to measure.
 * @param[in] tokenizer Its vocabulary is the model's; may be NULL with `class_features`.
 * @param[in] dataset Labelled images: tables with a label column (class names or indices), shards with
 *   `.cls` entries, pairs of the host with labels, or class folders. Class folders are classes by
 *   their names; where none of the names is a class, in the order of their names, as many as classes.
 * @param[in] options The classes are required.
 * @param[in] callback Called with progress, may cancel; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_evaluation To be freed with cleanclip_evaluation_free().
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: a file cannot be read; CLEANCLIP_FORMAT: a file is
 *   broken, or too many images are; CLEANCLIP_UNSUPPORTED: the model lacks a tower; CLEANCLIP_CANCELLED;
 *   CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_evaluate(const cleanclip_model *model,
                                                  const cleanclip_tokenizer *tokenizer,
                                                  const cleanclip_dataset *dataset,
                                                  const cleanclip_evaluate_options *options,
                                                  cleanclip_count_callback callback,
                                                  void *user_data,
                                                  cleanclip_evaluation **out_evaluation);

/** Frees an evaluation. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_evaluation_free(cleanclip_evaluation *evaluation);

/** A fraction of images with its 95 % Wilson interval, each in 0 … 1. */
typedef struct cleanclip_rate {
  double value; /**< Counted. */
  double low;   /**< Lower end of the interval. */
  double high;  /**< Upper end of the interval. */
} cleanclip_rate;

/** The places in `clean_accuracy` and `attack_success_rate`. */
enum {
  CLEANCLIP_TOP1 = 0,
  CLEANCLIP_TOP3 = 1,
  CLEANCLIP_TOP5 = 2,
  CLEANCLIP_TOP10 = 3
};

/** How well a model classifies, and how well an attack on it works. */
typedef struct cleanclip_scores {
  size_t struct_size;                      /**< Set by cleanclip_scores_init(). */
  int64_t images;                          /**< Images that were classified. */
  int64_t attacked_images;                 /**< Those of other classes than the target; 0 without a
                                                trigger. */
  int64_t skipped_images;                  /**< Rows that could not be read, or have no label. */
  cleanclip_rate clean_accuracy[4];       /**< CLEANCLIP_TOP1 …: the true class is among the first
                                                k; 1 where there are fewer than k classes. */
  cleanclip_rate attack_success_rate[4];  /**< The target is among the first k, of
                                                `attacked_images`; 0 without a trigger. */
} cleanclip_scores;

/** Sets `struct_size` and clears the rest; `struct_size` is `sizeof *scores`. */
CLEANCLIP_API void cleanclip_scores_init(cleanclip_scores *scores, size_t struct_size);

/**
 * Tells the numbers of an evaluation.
 *
 * @param[in] evaluation The evaluation.
 * @param[in,out] out_scores Prepared with cleanclip_scores_init().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_evaluation_scores(const cleanclip_evaluation *evaluation,
                                                           cleanclip_scores *out_scores);

/**
 * Writes an evaluation as JSON: `clean_accuracy` and, where an attack was measured,
 * `attack_success_rate` with `top1` …, their `intervals_95`, `images`, `attacked_images`, and the
 * accuracy of each class.
 *
 * @param[in] evaluation The evaluation.
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_evaluation_json(const cleanclip_evaluation *evaluation,
                                                         char *out_text, size_t out_capacity,
                                                         size_t *out_length);

/**
 * Measures how well captions find their images, and images their captions, and writes the recall as
 * JSON: `image_to_text` and `text_to_image` with `recall_at_1`, `_3`, `_5` and `_10` in 0 … 1 (no
 * more than there are candidates), `images`, `captions` and `skipped_pairs`.
 *
 * Every pair is a query, and the images or captions of all pairs are its candidates. Pairs with the
 * same key, such as the path of an image in a table, are captions of one image.
 *
 * @param[in] model A model with both towers.
 * @param[in] tokenizer Its vocabulary is the model's.
 * @param[in] dataset Pairs with captions.
 * @param[in] options NULL for the defaults; `normalize` is not used.
 * @param[in] callback Called with progress, may cancel; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_text The text with its NUL.
 * @param[in] out_capacity Bytes that `out_text` has room for; at least 512.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL.
 * @return CLEANCLIP_FORMAT: too many pairs cannot be read, or none has a caption;
 *   CLEANCLIP_CANCELLED; CLEANCLIP_STATE: the model lacks a tower; CLEANCLIP_INVALID_ARGUMENT:
 *   `out_capacity` is too small, and the rest.
 */
CLEANCLIP_API cleanclip_status cleanclip_evaluate_retrieval(
    const cleanclip_model *model, const cleanclip_tokenizer *tokenizer,
    const cleanclip_dataset *dataset, const cleanclip_encode_options *options,
    cleanclip_count_callback callback, void *user_data, char *out_text, size_t out_capacity,
    size_t *out_length);

#ifdef __cplusplus
}
#endif

#endif
