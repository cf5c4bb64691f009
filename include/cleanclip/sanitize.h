/**
 * @file cleanclip/sanitize.h
 * @brief Sanitizing: removing a backdoor.
 *
 * Set the options, call cleanclip_sanitize(), then save the model. A callback follows the steps and
 * may cancel; with a state directory a run can be resumed, bit for bit.
 *
 * @code{.c}
 * cleanclip_sanitize_options options;
 * cleanclip_sanitize_options_init(&options, sizeof options);
 * options.state_directory = "state";
 * cleanclip_history *history;
 * cleanclip_sanitize(model, tokenizer, pairs, &options, NULL, NULL, &history);
 * cleanclip_model_save(model, "clean.onnx");
 * cleanclip_history_free(history);
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_SANITIZE_H
#define CLEANCLIP_SANITIZE_H

#include <stddef.h>
#include <stdint.h>

#include "attack.h"
#include "communicator.h"
#include "data.h"
#include "model.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What is done to the model, how long and with which weights. */
typedef struct cleanclip_sanitize_options {
  size_t struct_size;           /**< Set by cleanclip_sanitize_options_init(). */
  const char *method;           /**< Default "cleanclip": both losses below on captioned images;
                                     "supervised": cross-entropy of a linear head on labelled
                                     images, image tower only; "unlearn": triggers are recovered
                                     and unlearned with unlabelled images, image tower only; the
                                     history has its verdict; "par": contrastive loss on captioned
                                     images while features are pushed away from where they were;
                                     "simclip": the image tower is made robust against small changes of
                                     unlabelled images, which removes no backdoor by itself;
                                     "roclip": contrastive loss on augmented pairs, every few epochs
                                     with captions of a pool in the place of the images' own;
                                     "safeclip": contrastive loss on pairs whose image and caption
                                     agree, self-supervised loss on the others. */
  const char *state_directory;  /**< Folder of the resumable state; none by default (NULL). */
  const char *head_path;        /**< "supervised": a safetensors file for the head; none by default
                                     (NULL). */
  int64_t epochs;               /**< 1 to 1000000; default 10. */
  int64_t batch_size;           /**< Pairs per step, of all ranks together, 1 to 1048576, 2 or more
                                     with methods that read captions, a multiple of the ranks;
                                     default 64. */
  int64_t warmup_steps;         /**< Steps of linear warm-up, 0 or more; default 50. */
  int64_t save_every;           /**< Steps between saved states, 0 or more, 0 saves at the end of
                                     epochs only; default 200. */
  int64_t memory_budget;        /**< Bytes that training may use; none by default (0): no limit. */
  int64_t head_classes;         /**< "supervised": classes of the head, 2 to 1048576; none by
                                     default (0): one more than the highest label of the dataset,
                                     which is read for it. */
  uint64_t seed;                /**< Order, augmentation, head; default 0. */
  float learning_rate;          /**< Highest rate of AdamW, more than 0, at most 10; default 1e-5. */
  float weight_decay;           /**< 0 or more, less than 1 / `learning_rate`; default 0.1. */
  float clip_weight;            /**< "cleanclip": of the contrastive loss between images and
                                     captions, the paper's lambda 1; 0 or more; default 1. */
  float inmodal_weight;         /**< "cleanclip": of the self-supervised loss inside each modality,
                                     the paper's lambda 2; 0 or more, 0 is plain fine-tuning;
                                     default 1. */
  int32_t precision;            /**< A cleanclip_precision; default CLEANCLIP_PRECISION_AUTO. */
  int32_t resume;               /**< 1: resume from the state in `state_directory`; default 0. */
  float max_accuracy_loss;      /**< "unlearn": percentage points of held-out images that may be
                                     classified otherwise than before, more ends the run, more than
                                     0, at most 100; none by default (0): no limit. */
  const char *const *classes;   /**< "unlearn": names of classes that may be a target, */
  int64_t class_count;          /**< as many as this, 4 or more; none by default (0): common nouns
                                     that short searches reach cheapest, or groups of the images
                                     without a text tower. */
  const char *const *templates; /**< Prompts with {} for the classes, */
  int64_t template_count;       /**< as many as this; none by default (0): "a photo of a {}". */
  const cleanclip_trigger *const *triggers; /**< "unlearn": triggers that are known, such as those that
                                     a check recovered; unlearned with what is found, */
  int64_t trigger_count;        /**< as many as this; none by default (0). */
  float perturb_threshold;      /**< "par": mean squared distance of L2-normalized features from the
                                     initial ones up to which they are pushed, more than 0, at most
                                     4; default 2.15. */
  const cleanclip_communicator *communicator; /**< The ranks that run it together; none by
                                     default (NULL): this process alone. Rank 0 writes the state and
                                     the head, and alone needs their paths. */
  int32_t sync_batch_norm;      /**< 1: batch norm takes its statistics over the batch of all ranks, as
                                     one process does; 0: over each rank's part, and the running
                                     statistics are the means of the ranks'; default 1. */
  int32_t reserved;             /**< 0. */
  int64_t persistence_steps;    /**< "unlearn": steps of benign training of a copy, after which triggers
                                     are measured again, 0 … 1,000,000, 0 for none; default 300. */
  const float *class_features;  /**< [class_count, class_embed_dim] in place of
                                     prompts, of any length but 0, none equal to
                                     that of another name; none by default
                                     (NULL): prompts are embedded. */
  int64_t class_embed_dim;      /**< Columns of `class_features`: those of the
                                     model's features. */
  const char *suspects;         /**< A list of rows of the dataset that are taken for poisoned, as
                                     cleanclip_check_write() writes it to `.suspects`: left out, and
                                     by "unlearn" unlearned; none by default (NULL). */
  int32_t check_data;           /**< Methods that need captions: 1: from 500 pairs on they are checked with the
                                     model first, as cleanclip_check_data() does, and those that look
                                     poisoned or lie far apart are left out, unless `suspects` are given;
                                     0: no check, as for training from nothing; default 1. */
  int32_t text;                 /**< "unlearn": 1: words that make captions of anything mean the same are
                                     looked for too, and unlearned in the text tower, which needs a
                                     tokenizer; default 0. */
  float attack_epsilon;         /**< "simclip": how far the attack may move a value of an image, in
                                     255ths of the pixel range, more than 0, at most 255; default 4. */
  float attack_step_size;       /**< "simclip": how far it moves it in a step, in 255ths too, more than
                                     0, at most 255; default 1. */
  int64_t attack_steps;         /**< "simclip": steps of the attack on each batch, 1 to 1000; default
                                     10. */
  int64_t match_every;          /**< "roclip": in every so many epochs one has images matched with the
                                     pool, 1 to 1000000; default 2. */
  float pool_fraction;          /**< "roclip": captions of the pool, as a fraction of the pairs, more
                                     than 0, at most 1; default 0.02. */
  float safe_probability;       /**< "safeclip": the probability of agreeing above which a pair is safe
                                     at first, more than 0, at most 1; default 0.9. */
  int64_t inmodal_epochs;       /**< "safeclip": epochs of self-supervision before images and captions
                                     meet, 0 to 1000000, `epochs` being 2 more or higher; default 5. */
} cleanclip_sanitize_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_sanitize_options_init(cleanclip_sanitize_options *options,
                                                   size_t struct_size);

/** Where training is, after a step. */
typedef struct cleanclip_progress {
  size_t struct_size;         /**< Set by the library, or by cleanclip_progress_init(). */
  int64_t epoch;              /**< 1 … epochs. */
  int64_t epochs;             /**< All of them. */
  int64_t step;               /**< 1 … steps, over all epochs; 0 in phases before the first. */
  int64_t steps;              /**< All of them. */
  double loss;                /**< The weighted sum. */
  double crossmodal_loss;     /**< Between images and captions, unweighted; or cross-entropy. */
  double inmodal_loss;        /**< Inside the modalities, unweighted. */
  double learning_rate;       /**< Of this step. */
  double logit_scale;         /**< After the step, exponentiated. */
  double samples_per_second;  /**< Pairs, over the last steps. */
  double waiting_fraction;       /**< 0 … 1: the fraction of the time spent waiting for data. */
  const char *phase;          /**< What a method that does more than steps does, such as "searching
                                   for targets"; lives for the duration of the call; NULL for other
                                   methods and in histories. */
  int64_t phase_done;         /**< How far the phase is, */
  int64_t phase_total;        /**< of so much; 0 while that is not known. */
} cleanclip_progress;

/** Sets `struct_size` and clears the rest; `struct_size` is `sizeof *progress`. */
CLEANCLIP_API void cleanclip_progress_init(cleanclip_progress *progress, size_t struct_size);

/**
 * Is called with progress after each step, and in phases between steps where a method has such, on the thread that called cleanclip_sanitize().
 *
 * The model may be read in the callback (encoded with, evaluated, saved), not trained. Handles that are
 * freed in it stay until the call ends, and their model's new weights are lost then.
 *
 * @param[in] progress Lives for the duration of the call.
 * @param[in] user_data As it was given to cleanclip_sanitize().
 * @return 0 to continue; anything else cancels.
 */
typedef int32_t (*cleanclip_progress_callback)(const cleanclip_progress *progress,
                                               void *user_data);

/** What happened in each step of a training run. */
typedef struct cleanclip_history cleanclip_history;

/**
 * Fine-tunes the model on clean pairs so that a backdoor is forgotten.
 *
 * The model's weights change in place; they are those of the last completed step also when the
 * call is cancelled. With a `state_directory`, a cancelled or killed run resumes from there with
 * `resume` and gives, bit by bit, what it would have given (same machine, threads, precision).
 *
 * With a communicator, every rank makes the call with the same model, the same whole dataset and the same
 * options, and has the same weights afterwards. N ranks compute what one process with the same `batch_size`
 * computes, but for rounding: the losses see the pairs of all ranks, and so do their gradients.
 *
 * @param[in,out] model The model to clean. No other thread may use it meanwhile.
 * @param[in] tokenizer Its vocabulary is the model's; may be NULL for methods without captions.
 * @param[in] dataset Clean pairs with captions, or with labels for "supervised"; at least a batch.
 * @param[in] options NULL for the defaults.
 * @param[in] callback Called with progress, may cancel; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_history To be freed with cleanclip_history_free(); may be NULL. Also set when
 *   the call was cancelled.
 * @return CLEANCLIP_CANCELLED: by the callback; CLEANCLIP_STATE: the loss became not a number (the
 *   text says at which step; the model keeps the last good weights), or the state to resume from is
 *   that of another run or method, or a rank has other weights; CLEANCLIP_INVALID_ARGUMENT: an option
 *   out of range, a batch larger than the dataset, a NULL, ranks that do not agree; CLEANCLIP_IO: a
 *   collective failed.
 */
CLEANCLIP_API cleanclip_status cleanclip_sanitize(cleanclip_model *model,
                                                  const cleanclip_tokenizer *tokenizer,
                                                  const cleanclip_dataset *dataset,
                                                  const cleanclip_sanitize_options *options,
                                                  cleanclip_progress_callback callback,
                                                  void *user_data,
                                                  cleanclip_history **out_history);

/** Frees a history. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_history_free(cleanclip_history *history);

/** Returns the number of steps in a history; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_history_count(const cleanclip_history *history);

/**
 * Tells what happened in a step.
 *
 * @param[in] history The history.
 * @param[in] index 0 … cleanclip_history_count() - 1.
 * @param[in,out] out_progress Prepared with cleanclip_progress_init().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_history_step(const cleanclip_history *history,
                                                      int64_t index,
                                                      cleanclip_progress *out_progress);

/**
 * Writes a history as JSON: the options, and the numbers of each step.
 *
 * @param[in] history The history.
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_history_json(const cleanclip_history *history,
                                                      char *out_text, size_t out_capacity,
                                                      size_t *out_length);

#ifdef __cplusplus
}
#endif

#endif
