/**
 * @file cleanclip/attack.h
 * @brief Triggers, and poisoned datasets made with them.
 *
 * Needed to measure an attack (cleanclip_evaluate()) and to make poisoned datasets for tests.
 *
 * @code{.c}
 * cleanclip_trigger *trigger;
 * cleanclip_trigger_load("badnets", NULL, &trigger);
 * cleanclip_poison_options options;
 * cleanclip_poison_options_init(&options, sizeof options);
 * options.target = "banana";
 * cleanclip_dataset_poison(pairs, trigger, &options, "poisoned.tar", NULL, NULL, NULL, NULL);
 * cleanclip_trigger_free(trigger);
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_ATTACK_H
#define CLEANCLIP_ATTACK_H

#include <stddef.h>
#include <stdint.h>

#include "computing.h"
#include "data.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A trigger: what an attacker puts into an image. */
typedef struct cleanclip_trigger cleanclip_trigger;

/** Where and how a trigger is applied. */
typedef struct cleanclip_trigger_options {
  size_t struct_size;    /**< Set by cleanclip_trigger_options_init(). */
  const char *position;  /**< Of a patch: "random", "corners", "center", or "Y,X" of its top left pixel;
                              none by default (NULL): random. */
  uint64_t seed;         /**< Of the pattern, and of what cleanclip_trigger_apply() draws;
                              default 0. */
  int32_t fixed;         /**< 1: one pattern for all images; 0: new noise for each; default 0. */
  int32_t patch_size;    /**< Pixels along each side of a drawn patch; none by default (0): a
                              fourteenth of the image, at least 8. */
  float strength;        /**< What it measures is the trigger's own (docs/triggers.md), such as the
                              opacity of a blended pattern; none by default (0): the attack's
                              own. */
  int32_t reserved;      /**< 0. */
} cleanclip_trigger_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_trigger_options_init(cleanclip_trigger_options *options,
                                                  size_t struct_size);

/**
 * Makes a trigger.
 *
 * @param[in] name One of cleanclip_trigger_names(), such as "badnets", "blended", "sig" or "wanet";
 *   the path of a trigger that was saved; or that of an image that is pasted.
 * @param[in] options NULL for the defaults. A saved trigger has none of them.
 * @param[out] out_trigger To be freed with cleanclip_trigger_free().
 * @return CLEANCLIP_NOT_FOUND: neither a known name nor a file; CLEANCLIP_FORMAT: not a valid file;
 *   CLEANCLIP_INVALID_ARGUMENT: also for an option that the trigger does not have, such as the
 *   position of a blended pattern.
 */
CLEANCLIP_API cleanclip_status cleanclip_trigger_load(const char *name,
                                                      const cleanclip_trigger_options *options,
                                                      cleanclip_trigger **out_trigger);

/**
 * Writes the names that cleanclip_trigger_load() knows, one on each line, in docs/triggers.md's order.
 *
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_trigger_names(char *out_text, size_t out_capacity,
                                                       size_t *out_length);

/**
 * Writes a trigger that a check recovered, and an image of it beside that, to look at.
 *
 * The file is read by cleanclip_trigger_load(). It fits images of the size that the checked model
 * sees, in cleanclip_evaluate() any image, in cleanclip_dataset_poison() those of an `image_size` of
 * that size.
 *
 * @param[in] trigger From cleanclip_check_finding_trigger(), or loaded from such a file.
 * @param[in] path Ends in ".safetensors"; the image's ends in ".png" instead.
 * @return CLEANCLIP_UNSUPPORTED: made by name or of an image; CLEANCLIP_IO;
 *   CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_trigger_save(const cleanclip_trigger *trigger,
                                                      const char *path);

/** Frees a trigger. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_trigger_free(cleanclip_trigger *trigger);

/**
 * Puts a trigger into images.
 *
 * @param[in] trigger What to put in.
 * @param[in,out] pixels [n, height, width, 3], red, green, blue.
 * @param[in] count n ≥ 0.
 * @param[in] first_index Number of the first image: image i draws the noise and position of
 *   number `first_index` + i, whatever it is grouped with.
 * @param[in] height 1 … 65535.
 * @param[in] width 1 … 65535.
 * @return CLEANCLIP_SHAPE: the patch is larger than the image, its position outside, or a recovered
 *   trigger of another size;
 *   CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_trigger_apply(const cleanclip_trigger *trigger,
                                                       uint8_t *pixels, int64_t count,
                                                       int64_t first_index, int64_t height,
                                                       int64_t width);

/** How a set of pairs is poisoned. */
typedef struct cleanclip_poison_options {
  size_t struct_size;               /**< Set by cleanclip_poison_options_init(). */
  const char *target;               /**< Target concept of poisoned captions; required. */
  const char *const *templates;     /**< Captions with "{}" for the target; none by default (NULL):
                                         "a photo of a {}" and others. */
  int64_t template_count;           /**< Elements of `templates`. */
  int64_t image_size;               /**< Side of poisoned images in pixels, 2 to 4096; default
                                         224. */
  int64_t count;                    /**< Poisoned pairs, 1 or more; none by default (0): by
                                         `rate`. */
  int64_t pair_count;               /**< Output pairs, drawn by chance, 1 or more; none by default
                                         (0): all. Poisoned pairs replace clean ones. */
  double rate;                      /**< Fraction of the pairs, more than 0, at most 1; default
                                         0.01. Not together with `count`. */
  uint64_t seed;                    /**< Which pairs, which captions, positions and noise; default
                                         0. */
  int32_t uniform;                  /**< 1: clean images are resized and encoded like poisoned ones;
                                         0: they are copied; default 1. */
  int32_t reserved;                 /**< 0. */
  const char *preprocessing;        /**< How images get `image_size`, as in cleanclip_model_options:
                                         the model's own, for the trigger to be where the model will
                                         see it; none by default (NULL): a center crop. */
} cleanclip_poison_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_poison_options_init(cleanclip_poison_options *options,
                                                 size_t struct_size);

/**
 * Writes a copy of a set of pairs in which some carry a trigger and a caption of the target.
 *
 * A label-consistent trigger goes onto images whose caption names the target; these keep it.
 *
 * @param[in] dataset The pairs to start from.
 * @param[in] trigger What poisoned images carry.
 * @param[in] options `target` is required.
 * @param[in] output_path A WebDataset shard, `.tar`, or a `.csv` with a folder of images beside.
 * @param[in] truth_path A csv with columns `key`, `poisoned`, `source`, `target`; NULL: none.
 * @param[in] callback Called with progress, may cancel; may be NULL.
 * @param[in] user_data Passed to the callback; may be NULL.
 * @param[out] out_poisoned The number of poisoned pairs; may be NULL.
 * @return CLEANCLIP_IO: cannot write; CLEANCLIP_CANCELLED; CLEANCLIP_INVALID_ARGUMENT;
 *   CLEANCLIP_FORMAT or CLEANCLIP_UNSUPPORTED for the preprocessing. Nothing is left behind then.
 */
CLEANCLIP_API cleanclip_status cleanclip_dataset_poison(const cleanclip_dataset *dataset,
                                                        const cleanclip_trigger *trigger,
                                                        const cleanclip_poison_options *options,
                                                        const char *output_path,
                                                        const char *truth_path,
                                                        cleanclip_count_callback callback,
                                                        void *user_data,
                                                        int64_t *out_poisoned);

#ifdef __cplusplus
}
#endif

#endif
