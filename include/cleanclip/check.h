/**
 * @file cleanclip/check.h
 * @brief Checks of checkpoints and datasets.
 *
 * Intended usage, step by step, without the error checks.
 *
 * 1. **The checkpoint**, before anything is built on it. A few hundred unlabelled images of the
 *    kind that the model will see make the check more reliable; class names tell what a trigger
 *    makes the model predict.
 *
 * @code{.c}
 * cleanclip_check_model_options options;
 * cleanclip_check_model_options_init(&options, sizeof options);
 * options.images = images;
 * options.tokenizer = tokenizer;
 * cleanclip_check *check;
 * cleanclip_check_model(model, &options, NULL, NULL, &check);
 * if (cleanclip_check_verdict(check) == CLEANCLIP_VERDICT_BACKDOORED)
 *   cleanclip_check_write(check, "checkpoint.html");
 * cleanclip_check_free(check);
 * @endcode
 *
 * 2. **The data** that it was trained on, where there is some. Pairs with high scores come first on
 *    the page; the keys in the `.txt` are the pairs that stay.
 *
 * @code{.c}
 * cleanclip_check_data(model, pairs, NULL, NULL, NULL, &check);
 * cleanclip_check_write(check, "pairs.html");
 * cleanclip_check_write(check, "keep.txt");
 * cleanclip_check_free(check);
 * @endcode
 *
 * 3. **Inputs**, while the model is in use: cleanclip/bank.h.
 *
 * Features are unnormalized: cleanclip_encode_options::normalize is 0 where they are computed.
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_CHECK_H
#define CLEANCLIP_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "attack.h"
#include "communicator.h"
#include "computing.h"
#include "data.h"
#include "model.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a check concludes. */
typedef enum cleanclip_verdict {
  CLEANCLIP_VERDICT_CLEAN = 0,       /**< Nothing that a clean model would not show too. */
  CLEANCLIP_VERDICT_SUSPICIOUS = 1,  /**< As much as one in twenty clean models shows. */
  CLEANCLIP_VERDICT_BACKDOORED = 2,  /**< Less than one in a hundred clean models shows it. */
  CLEANCLIP_VERDICT_CANNOT_TELL = 3  /**< The check could not be made well enough. */
} cleanclip_verdict;

/** The result of a check of a model, of a dataset, or of a set of images. */
typedef struct cleanclip_check cleanclip_check;

/** How a model is checked. */
typedef struct cleanclip_check_model_options {
  size_t struct_size;                        /**< Set by cleanclip_check_model_options_init(). */
  const cleanclip_dataset *images;           /**< Unlabelled images; none by default (NULL):
                                                  synthetic images. */
  const cleanclip_tokenizer *tokenizer;      /**< None by default (NULL): predicted targets are not
                                                  named. */
  const char *const *classes;                /**< Class names to name targets with, */
  int64_t class_count;                       /**< as many as this; none by default (0). */
  const char *const *templates;              /**< Prompts with "{}", */
  int64_t template_count;                    /**< as many as this; none by default (0): "a photo of
                                                  a {}". */
  const cleanclip_model *const *references;  /**< Clean checkpoints of the same architecture, */
  int64_t reference_count;                   /**< as many as this; none by default (0): reference
                                                  searches in the model itself. */
  const char *state_directory;               /**< Folder of finished searches; none by default
                                                  (NULL). */
  int64_t image_limit;                       /**< Images used at most, 16 to 1000000, and no more than
                                                  fit in 1 GiB (256 of 591 pixels); default 256. */
  int64_t steps;                             /**< Steps of a search at most, 1 to 1000000; default
                                                  200. */
  int64_t batch_size;                        /**< Batch size of a search, 2 to 65536; default 12. Of images so
                                                  large that a batch takes more than 256 MiB, fewer. */
  int64_t reference_searches;                /**< Searches of each space in the model itself to
                                                  compare with, without `references`, 2 to 100;
                                                  default 3. */
  int64_t class_searches;                    /**< Classes, or nouns without classes, with a targeted
                                                  search at most, 0 or 4 to 1000; default 10. */
  uint64_t seed;                             /**< Default 0. */
  int32_t precision;                         /**< A cleanclip_precision; default
                                                  CLEANCLIP_PRECISION_F32. */
  int32_t nouns;                             /**< 1: common nouns name targets too; default 1. */
  int32_t text;                              /**< 1: the text tower is checked too, which needs the
                                                  tokenizer; default 0. */
  int32_t resume;                            /**< 1: resume from the state in `state_directory`;
                                                  default 0. */
  const float *class_features;               /**< [class_count, class_embed_dim] in place of
                                                  prompts, of any length but 0, none equal to
                                                  that of another name; none by default
                                                  (NULL): prompts are embedded. */
  int64_t class_embed_dim;                   /**< Columns of `class_features`: those of the
                                                  model's features. */
  int32_t exhaustive;                        /**< 1: searches run on when the verdict is settled, to find
                                                  further backdoors; default 0. */
  int32_t reserved;                          /**< 0. */
  const cleanclip_communicator *communicator; /**< The ranks that divide the searches among them; none
                                                   by default (NULL): this process alone. */
} cleanclip_check_model_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_check_model_options_init(cleanclip_check_model_options *options,
                                                      size_t struct_size);

/**
 * Looks for a backdoor in the image tower by inverting triggers, and in the text tower on request by
 * trying every word of the vocabulary.
 *
 * The model is used exclusively while this runs, though it is not changed. With a `state_directory`,
 * a cancelled or killed check resumes after the last finished search with `resume` and gives, bit by
 * bit, what it would have given.
 *
 * With a communicator, every rank makes the call with the same model, images and options, and has the whole result:
 * bit by bit that of one process where all compute alike. The first rank alone keeps a state and resumes from it.
 *
 * @param[in] model The suspect.
 * @param[in] options NULL: the defaults.
 * @param[in] callback Called after steps; non-zero cancels; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_check To be freed with cleanclip_check_free().
 * @return CLEANCLIP_INVALID_ARGUMENT; CLEANCLIP_STATE: weights that give NaN, or the state of another
 *   check; CLEANCLIP_CANCELLED.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_model(cleanclip_model *model,
                                                     const cleanclip_check_model_options *options,
                                                     cleanclip_count_callback callback,
                                                     void *user_data,
                                                     cleanclip_check **out_check);

/** How a dataset is checked. */
typedef struct cleanclip_check_data_options {
  size_t struct_size;                          /**< Set by cleanclip_check_data_options_init(). */
  const cleanclip_model *trusted;              /**< Another checkpoint; none by default (NULL). */
  const cleanclip_tokenizer *trusted_tokenizer; /**< Required with `trusted`. */
  const float *image_features;                 /**< [dataset count, embed_dim] of the suspect, not
                                                    normalised; none by default (NULL): computed. */
  int64_t embed_dim;                           /**< Columns of `image_features`. */
  const float *trusted_image_features;         /**< [dataset count, trusted_embed_dim] of images by
                                                    a trusted checkpoint; none by default (NULL). */
  const float *trusted_text_features;          /**< The same of captions. */
  int64_t trusted_embed_dim;                   /**< Columns of both. */
  const char *const *keys;                     /**< Without a dataset: names of the pairs; none by
                                                    default (NULL): the numbers of their rows, from
                                                    0. */
  const char *const *captions;                 /**< Without a dataset: captions; none by default
                                                    (NULL): unknown. */
  int64_t pair_count;                          /**< Without a dataset: the number of pairs. */
  const char *state_directory;                 /**< Folder of what was read; none by default
                                                    (NULL). */
  double assumed_poison_rate;                  /**< Sizes the reference sets; more than 0, less than
                                                    0.5; default 0.01. */
  uint64_t seed;                               /**< Default 0. */
  int32_t precision;                           /**< A cleanclip_precision; default
                                                    CLEANCLIP_PRECISION_F32. */
  int32_t patches;                             /**< 1: recurring patches count; default 0. */
  int32_t resume;                              /**< 1: resume from the state in `state_directory`;
                                                    default 0. */
  double allow_unread;                         /**< What may be left out of the dataset unread under a
                                                    clean verdict, which is CANNOT_TELL otherwise: a
                                                    number from 1, below 1 a fraction of all rows; 0 or
                                                    more; default 2. */
  const char *const *image_feature_files;      /**< In place of `image_features`: NumPy arrays [n, E] or
                                                    safetensors files, parts of any number, as paths,
                                                    patterns or folders, */
  int64_t image_feature_file_count;            /**< as many as this; none by default (0). */
  const char *const *trusted_feature_files;    /**< In place of `trusted_image_features` and
                                                    `trusted_text_features`: safetensors files with
                                                    both, */
  int64_t trusted_feature_file_count;          /**< as many as this; none by default (0). */
  int64_t memory_budget;                       /**< Bytes that the check may use; none by default (0): no
                                                    limit. */
} cleanclip_check_data_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_check_data_options_init(cleanclip_check_data_options *options,
                                                     size_t struct_size);

/**
 * Looks for poisoned pairs in the data that a model was trained on.
 *
 * Pairs that cannot be read are left out and counted in the result's JSON, with what the dataset itself
 * left out; features that are given belong to all rows. Those in files are read in blocks: where the files
 * have keys, their rows are put in the order of the dataset's or of `keys`, and where they have none they
 * are in that order; without a dataset and `keys`, keys and captions are those of the files, and `pair_count` may
 * be 0. Several pairs with one image count as one in every
 * statistic. With
 * a `state_directory`, a cancelled or killed check resumes after the last pairs that were kept, 512 at
 * a time while reading and 8192 while finding neighbours, with `resume` and gives, bit by bit, what it would have given. Another seed or assumed rate
 * may resume from the same state; it starts with the neighbours at once when all pairs were read.
 *
 * @param[in] model The suspect; NULL with `image_features` given, which are taken for its own, or with a trusted
 *   checkpoint alone.
 * @param[in] dataset NULL with features given; a report has no images then.
 * @param[in] options NULL: the defaults.
 * @param[in] callback Called with pairs read, then with pairs whose neighbours were found, of
 *   twice their number; non-zero cancels; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_check To be freed with cleanclip_check_free().
 * @return CLEANCLIP_INVALID_ARGUMENT, CLEANCLIP_SHAPE; CLEANCLIP_STATE: the state of another check;
 *   CLEANCLIP_CANCELLED.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_data(const cleanclip_model *model,
                                                    const cleanclip_dataset *dataset,
                                                    const cleanclip_check_data_options *options,
                                                    cleanclip_count_callback callback,
                                                    void *user_data,
                                                    cleanclip_check **out_check);

/** Frees a result. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_check_free(cleanclip_check *check);

/** Returns the verdict; CLEANCLIP_VERDICT_CANNOT_TELL for NULL. */
CLEANCLIP_API cleanclip_verdict cleanclip_check_verdict(const cleanclip_check *check);

/** Returns the number of rows of the dataset, which have scores: 0 for a check of a model, and for NULL. */
CLEANCLIP_API int64_t cleanclip_check_score_count(const cleanclip_check *check);

/**
 * Copies the scores of all rows, in the order of the dataset; higher is more suspicious. Rows that could
 * not be read have NaN.
 *
 * @param[in] check The result of cleanclip_check_data().
 * @param[out] out_scores Room for cleanclip_check_score_count() numbers.
 * @param[in] out_capacity Numbers that `out_scores` has room for.
 * @return CLEANCLIP_INVALID_ARGUMENT: too small.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_scores(const cleanclip_check *check,
                                                      float *out_scores, size_t out_capacity);

/** What one search of a check of a model found. */
typedef struct cleanclip_finding {
  size_t struct_size;            /**< Set by cleanclip_finding_init(). */
  const char *kind;              /**< Of the trigger: in the image tower one of docs/triggers.md, such
                                      as "patch"; "word", "character" or "words"
                                      (a pair) in the text tower. Texts live as long as
                                      the check. */
  const char *target;            /**< The class that was searched for; NULL: none. */
  const char *word;              /**< The word that was found; NULL for triggers in images. */
  const char *size_meaning;      /**< What `size` measures. */
  const char *reference_source;  /**< Where the sizes come from that `size` is compared with:
                                      "clean_checkpoints", "reference_searches" or "other_classes". */
  const char *predicted_target;  /**< The class, or the noun, that triggered inputs move to most; NULL:
                                      unknown. */
  int64_t reference_count;       /**< For cleanclip_check_finding_reference(). */
  double p_value;                /**< 1 when there is no trigger, or none that works on held-out
                                      images. */
  float size;                    /**< Of the smallest trigger; of the largest that a search allows when
                                      there is none. */
  float attack_success_rate;     /**< Fraction of held-out images with the trigger that are
                                      classified as `predicted_target`, 0 … 1; -1: unknown. */
  int32_t verdict;               /**< Of this search alone, a cleanclip_verdict. */
  int32_t has_trigger;           /**< Whether cleanclip_check_finding_trigger() has one. */
} cleanclip_finding;

/**
 * Prepares a struct for cleanclip_check_finding().
 *
 * @param[out] finding NULL does nothing.
 * @param[in] struct_size `sizeof *finding`.
 */
CLEANCLIP_API void cleanclip_finding_init(cleanclip_finding *finding, size_t struct_size);

/**
 * The number of findings: one for each search that was judged.
 *
 * @param[in] check The result; NULL, and the check of a dataset, have none.
 */
CLEANCLIP_API int64_t cleanclip_check_finding_count(const cleanclip_check *check);

/**
 * Copies a finding.
 *
 * @param[in] check The result.
 * @param[in] index 0 … cleanclip_check_finding_count() - 1, in the order of the JSON, the text tower last.
 * @param[out] out_finding Prepared by cleanclip_finding_init().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_finding(const cleanclip_check *check, int64_t index,
                                                       cleanclip_finding *out_finding);

/**
 * Copies the sizes that a finding's is compared with.
 *
 * @param[in] check The result.
 * @param[in] index That of the finding.
 * @param[out] out_sizes Room for `reference_count` numbers.
 * @param[in] out_capacity Numbers that `out_sizes` has room for.
 * @return CLEANCLIP_INVALID_ARGUMENT: too small.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_finding_reference(const cleanclip_check *check,
                                                                 int64_t index, float *out_sizes,
                                                                 size_t out_capacity);

/**
 * Takes the trigger of a finding, to be saved, applied, or evaluated like any other.
 *
 * @param[in] check The result.
 * @param[in] index That of the finding.
 * @param[out] out_trigger To be freed with cleanclip_trigger_free(); it outlives the check.
 * @return CLEANCLIP_NOT_FOUND: the finding has none; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_finding_trigger(const cleanclip_check *check,
                                                               int64_t index,
                                                               cleanclip_trigger **out_trigger);

/**
 * Writes a result as JSON.
 *
 * @param[in] check The result.
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_json(const cleanclip_check *check, char *out_text,
                                                    size_t out_capacity, size_t *out_length);

/**
 * Writes a result to a file.
 *
 * @param[in] check The result.
 * @param[in] path `.html`: a self-contained page with images; `.json`; for a dataset also `.csv`,
 *     the scores, `.txt`, the rows that stay, and `.suspects`, the others.
 * @return CLEANCLIP_IO; CLEANCLIP_INVALID_ARGUMENT: another ending.
 */
CLEANCLIP_API cleanclip_status cleanclip_check_write(const cleanclip_check *check,
                                                     const char *path);

#ifdef __cplusplus
}
#endif

#endif
