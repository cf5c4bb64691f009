/**
 * @file cleanclip/model.h
 * @brief Models: load, make, save, describe; parameters by name.
 *
 * A model is loaded from ONNX or safetensors with cleanclip_model_load(), changed in memory, and
 * saved with cleanclip_model_save(), an ONNX model into the very graph that it came from.
 *
 * @code{.c}
 * cleanclip_model *model;
 * if (cleanclip_model_load("clip.onnx", &model) != CLEANCLIP_OK)
 *   fprintf(stderr, "%s\n", cleanclip_last_error());
 * cleanclip_model_save(model, "clip.safetensors");
 * cleanclip_model_free(model);
 * @endcode
 *
 * Part of cleanclip.h, which programs include.
 */
#ifndef CLEANCLIP_MODEL_H
#define CLEANCLIP_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A CLIP model: architecture, weights and where each weight came from. */
typedef struct cleanclip_model cleanclip_model;

/**
 * Loads a checkpoint.
 *
 * A graph's files stay open as long as the model: it is saved into a copy of them. What lies beside the
 * checkpoint belongs to it: `config.json` or `open_clip_config.json`, and the preprocessing of images in
 * `preprocessor_config.json` or `open_clip_config.json`, which cleanclip_model_describe() tells and
 * every form that is saved keeps.
 *
 * @param[in] path An ONNX file (recognised by its structure, names do not matter), a safetensors
 *   file with OpenCLIP or Hugging Face names, the index of several (`*.safetensors.index.json`), a folder
 *   with one of these under the name that its library gives, or "VISUAL.onnx,TEXTUAL.onnx": the two towers
 *   in two files, separated by a comma. Weights may be in files beside the ONNX file.
 * @param[out] out_model The model, to be freed with cleanclip_model_free().
 * @return CLEANCLIP_NOT_FOUND or CLEANCLIP_IO: no readable file; CLEANCLIP_FORMAT: a broken file;
 *   CLEANCLIP_UNSUPPORTED: not a CLIP of a known form, the text names the node.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_load(const char *path, cleanclip_model **out_model);

/** How a checkpoint is read. */
typedef struct cleanclip_model_options {
  size_t struct_size;         /**< Set by cleanclip_model_options_init(). */
  const char *preprocessing;  /**< How images are prepared, in place of what lies beside the checkpoint:
                                   JSON, or the path of a file with it, as OpenCLIP's `preprocess_cfg`
                                   (`mean`, `std`, `resize_mode`: shortest, longest or squash,
                                   `interpolation`: bicubic or bilinear, `fill_color`) or Hugging Face's
                                   `preprocessor_config.json`; none by default (NULL): what lies beside
                                   the checkpoint, else CLIP's own. */
} cleanclip_model_options;

/** Writes the defaults; `struct_size` is `sizeof *options`. NULL does nothing. */
CLEANCLIP_API void cleanclip_model_options_init(cleanclip_model_options *options,
                                                size_t struct_size);

/**
 * Loads a checkpoint as cleanclip_model_load() does, with options.
 *
 * @param[in] path See cleanclip_model_load().
 * @param[in] options NULL for the defaults.
 * @param[out] out_model The model, to be freed with cleanclip_model_free().
 * @return As cleanclip_model_load(); CLEANCLIP_FORMAT or CLEANCLIP_UNSUPPORTED also for preprocessing
 *   that is not known, the text names the member.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_load_with(const char *path,
                                                         const cleanclip_model_options *options,
                                                         cleanclip_model **out_model);

/**
 * Loads a checkpoint from bytes, as cleanclip_model_load() does from files.
 *
 * Bytes have nothing beside them: weights, configuration and preprocessing must be inside, or in the options.
 * Messages call them `<buffer>`.
 *
 * @param[in] bytes An ONNX or safetensors file, told by its content; or the image tower's ONNX file. They are
 *   copied: a graph's copy lives as long as the model, which is saved into a copy of it.
 * @param[in] size Bytes of `bytes`.
 * @param[in] text_bytes The text tower's ONNX file where it is one of its own, else NULL.
 * @param[in] text_size Bytes of `text_bytes`; 0 where that is NULL.
 * @param[in] options NULL for the defaults.
 * @param[out] out_model The model, to be freed with cleanclip_model_free().
 * @return As cleanclip_model_load_with(); CLEANCLIP_NOT_FOUND: weights or a configuration would be beside the
 *   file; CLEANCLIP_INVALID_ARGUMENT: no bytes.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_load_buffer(const void *bytes, size_t size,
                                                           const void *text_bytes,
                                                           size_t text_size,
                                                           const cleanclip_model_options *options,
                                                           cleanclip_model **out_model);

/**
 * Makes a model with random weights.
 *
 * Weights may then be written with cleanclip_model_write_parameter().
 *
 * @param[in] architecture A name ("ViT-B-32", "ViT-B-16", "ViT-L-14", "RN50" …), or the text of an
 *   OpenCLIP model configuration: JSON with `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`.
 * @param[in] seed The same seed gives the same weights.
 * @param[out] out_model The model, to be freed with cleanclip_model_free().
 * @return CLEANCLIP_NOT_FOUND: no architecture of this name; CLEANCLIP_FORMAT: not JSON;
 *   CLEANCLIP_UNSUPPORTED: an architecture that is not CLIP's.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_create(const char *architecture, uint64_t seed,
                                                      cleanclip_model **out_model);

/**
 * Copies a model: weights, and what is needed to write it back into its file's form.
 *
 * @param[in] model The model to copy.
 * @param[out] out_model An independent model, to be freed with cleanclip_model_free().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_copy(const cleanclip_model *model,
                                                    cleanclip_model **out_model);

/**
 * Saves a model.
 *
 * The file appears under its name only when it is complete; a failure leaves what was there. The
 * file that the model was loaded from may be overwritten.
 *
 * @param[in] model The model to save.
 * @param[in] path The form follows the name: `.safetensors` holds OpenCLIP's names; `.onnx` is the
 *   very graph that the model was loaded from with new weights, or a fresh graph when the model
 *   did not come from ONNX. A model of two files is saved to "VISUAL.onnx,TEXTUAL.onnx".
 * @return CLEANCLIP_IO: cannot write, disk full; CLEANCLIP_STATE: the graph that the model was loaded
 *   from was changed in place since, and nothing is written: `.safetensors` needs nothing of it;
 *   CLEANCLIP_UNSUPPORTED: another ending, or weights that the graph cannot hold, the text says which;
 *   CLEANCLIP_INVALID_ARGUMENT: one path for a model of two files, a NULL.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_save(const cleanclip_model *model,
                                                    const char *path);

/** Bytes that the library made, such as a checkpoint that goes to no file. */
typedef struct cleanclip_buffer cleanclip_buffer;

/**
 * Saves a model to memory, as cleanclip_model_save() does to a file.
 *
 * @param[in] model The model to save.
 * @param[in] form "onnx" or "safetensors".
 * @param[out] out_buffer What the file would hold, to be freed with cleanclip_buffer_free().
 * @return CLEANCLIP_UNSUPPORTED: more than one file, which are graphs of two towers and weights in files of
 *   their own; weights that the graph cannot hold, the text says which; CLEANCLIP_STATE: the graph that the
 *   model was loaded from was changed in place since; CLEANCLIP_INVALID_ARGUMENT: another form, a NULL.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_save_buffer(const cleanclip_model *model,
                                                           const char *form,
                                                           cleanclip_buffer **out_buffer);

/** Returns the bytes, which live as long as the buffer; NULL for NULL. */
CLEANCLIP_API const void *cleanclip_buffer_bytes(const cleanclip_buffer *buffer);

/** Returns how many bytes there are; 0 for NULL. */
CLEANCLIP_API size_t cleanclip_buffer_size(const cleanclip_buffer *buffer);

/** Frees a buffer. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_buffer_free(cleanclip_buffer *buffer);

/** Frees a model. NULL is allowed and does nothing. */
CLEANCLIP_API void cleanclip_model_free(cleanclip_model *model);

/**
 * Describes a model as JSON: towers, sizes, parameters, origin (exporter, opset, inputs, outputs,
 * form of the batch norm), preprocessing.
 *
 * @param[in] model The model to describe.
 * @param[out] out_text The text with its NUL, or NULL with `out_capacity` 0.
 * @param[in] out_capacity Bytes that `out_text` has room for.
 * @param[out] out_length Bytes of the text without its NUL; may be NULL unless `out_text` is.
 * @return CLEANCLIP_INVALID_ARGUMENT: `out_capacity` is too small; `out_length` is set.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_describe(const cleanclip_model *model,
                                                        char *out_text, size_t out_capacity,
                                                        size_t *out_length);

/** Returns E, the length of a feature; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_model_embed_dim(const cleanclip_model *model);

/** Returns S, the pixels along each side of the input; 0 without an image tower, and for NULL. */
CLEANCLIP_API int64_t cleanclip_model_image_size(const cleanclip_model *model);

/** Returns L, the most tokens of a text; 0 without a text tower, and for NULL. */
CLEANCLIP_API int64_t cleanclip_model_context_length(const cleanclip_model *model);

/** Returns the number of token ids; 0 without a text tower, and for NULL. */
CLEANCLIP_API int64_t cleanclip_model_vocab_size(const cleanclip_model *model);

/** Returns the factor of cosine similarities in logits, already exponentiated; 0 for NULL. */
CLEANCLIP_API float cleanclip_model_logit_scale(const cleanclip_model *model);

/** A tensor of the state dictionary. */
typedef struct cleanclip_parameter_info {
  size_t struct_size;     /**< Set by cleanclip_parameter_info_init(). */
  const char *name;       /**< OpenCLIP's name; lives as long as the model. */
  int64_t element_count;  /**< Product of the dimensions; 1 for a scalar. */
  int64_t dimensions[8];  /**< The first `rank` are set, the rest are 0. */
  int32_t rank;           /**< 0 … 8. */
  int32_t is_trainable;   /**< 1: training changes it; 0: a running statistic or a constant. */
} cleanclip_parameter_info;

/** Sets `struct_size` and clears the rest; `struct_size` is `sizeof *info`. NULL does nothing. */
CLEANCLIP_API void cleanclip_parameter_info_init(cleanclip_parameter_info *info,
                                                 size_t struct_size);

/** Returns the number of tensors in the state dictionary, running statistics included; 0 for NULL. */
CLEANCLIP_API int64_t cleanclip_model_parameter_count(const cleanclip_model *model);

/**
 * Tells name and shape of a tensor.
 *
 * @param[in] model The model.
 * @param[in] index 0 … cleanclip_model_parameter_count() - 1, in the order of the state dictionary.
 * @param[in,out] out_info Prepared with cleanclip_parameter_info_init().
 * @return CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_parameter_info(const cleanclip_model *model,
                                                              int64_t index,
                                                              cleanclip_parameter_info *out_info);

/**
 * Finds a tensor by name.
 *
 * @param[in] model The model.
 * @param[in] name OpenCLIP's name.
 * @param[out] out_index For cleanclip_model_parameter_info(); -1 on failure.
 * @return CLEANCLIP_NOT_FOUND: no tensor of this name.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_find_parameter(const cleanclip_model *model,
                                                              const char *name,
                                                              int64_t *out_index);

/**
 * Copies the values of a tensor out of the model.
 *
 * @param[in] model The model.
 * @param[in] name OpenCLIP's name. "logit_scale" is the logarithm.
 * @param[out] out_values Element by element, row-major.
 * @param[in] out_capacity Elements that `out_values` has room for; at least `element_count`.
 * @return CLEANCLIP_NOT_FOUND: no tensor of this name; CLEANCLIP_INVALID_ARGUMENT.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_read_parameter(const cleanclip_model *model,
                                                              const char *name, float *out_values,
                                                              size_t out_capacity);

/**
 * Copies values into a tensor of the model.
 *
 * @param[in,out] model The model to change.
 * @param[in] name OpenCLIP's name. "logit_scale" is the logarithm.
 * @param[in] values Row-major; each finite.
 * @param[in] count Elements of `values`; exactly `element_count`.
 * @return CLEANCLIP_NOT_FOUND: no tensor of this name; CLEANCLIP_SHAPE: another number of values;
 *   CLEANCLIP_INVALID_ARGUMENT: NULL or a value that is not finite; the tensor is unchanged.
 */
CLEANCLIP_API cleanclip_status cleanclip_model_write_parameter(cleanclip_model *model,
                                                               const char *name,
                                                               const float *values, size_t count);

#ifdef __cplusplus
}
#endif

#endif
