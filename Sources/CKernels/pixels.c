#include "parallel.h"
#include "vector.h"

typedef struct {
  ck_dtype type;
  const void *x;
  int64_t channels, height, width, kernel;
  void *y;
} arguments;

CK_INLINE float read_one(ck_dtype type, const void *x, int64_t index) {
  return type == CK_F32 ? ((const float *)x)[index] : widen(((const uint16_t *)x)[index]);
}

CK_INLINE void interleave(const arguments *w, int64_t begin, int64_t end) {
  int64_t area = w->height;
  for (int64_t image = begin; image < end; image++) {
    const float *source = (const float *)w->x + image * w->channels * area;
    for (int64_t channel = 0; channel < w->channels; channel++) {
      for (int64_t i = 0; i < area; i += LANES) {
        int64_t lanes = area - i < LANES ? area - i : LANES;
        vfloat values = load_some(CK_F32, source, channel * area + i, lanes);
        int64_t target = (image * area + i) * w->channels + channel;
        if (w->type == CK_F32) {
          for (int64_t l = 0; l < lanes; l++) {
            ((float *)w->y)[target + l * w->channels] = values[l];
          }
        } else {
          vhalf narrow = narrow16(values);
          for (int64_t l = 0; l < lanes; l++) {
            ((uint16_t *)w->y)[target + l * w->channels] = narrow[l];
          }
        }
      }
    }
  }
}

CK_CLONES static void to_nhwc_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  interleave(context, begin, end);
}

void ck_nchw_to_nhwc(
    ck_dtype type, const float *x, int64_t batch, int64_t channels, int64_t area, void *y) {
  arguments work = {.type = type, .x = x, .channels = channels, .height = area, .y = y};
  ck_parallel(batch, batch * channels * area, to_nhwc_body, &work);
}

static void to_nchw_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  int64_t area = w->height;
  for (int64_t image = begin; image < end; image++) {
    for (int64_t channel = 0; channel < w->channels; channel++) {
      float *target = (float *)w->y + (image * w->channels + channel) * area;
      for (int64_t i = 0; i < area; i++) {
        target[i] = read_one(w->type, w->x, (image * area + i) * w->channels + channel);
      }
    }
  }
}

void ck_nhwc_to_nchw(
    ck_dtype type, const void *x, int64_t batch, int64_t channels, int64_t area, float *y) {
  arguments work = {.type = type, .x = x, .channels = channels, .height = area, .y = y};
  ck_parallel(batch, batch * channels * area, to_nchw_body, &work);
}

// Items are rows of patches: item = image · grid height + patch row. A row of a patch is
// contiguous on both sides.
CK_INLINE void patch_rows(const arguments *w, int64_t item, int backward, ck_dtype type) {
  int64_t p = w->kernel, grid_height = w->height / p, grid_width = w->width / p;
  int64_t image = item / grid_height, patch_row = item % grid_height;
  for (int64_t column = 0; column < grid_width; column++) {
    int64_t patch = (item * grid_width + column) * w->channels * p * p;
    for (int64_t channel = 0; channel < w->channels; channel++) {
      for (int64_t i = 0; i < p; i++) {
        int64_t row = (image * w->channels + channel) * w->height + patch_row * p + i;
        int64_t pixel = row * w->width + column * p, target = patch + (channel * p + i) * p;
        for (int64_t j = 0; j < p; j += LANES) {
          int64_t lanes = p - j < LANES ? p - j : LANES;
          if (backward) {
            store_some(CK_F32, w->y, pixel + j, lanes, load_some(type, w->x, target + j, lanes));
          } else {
            store_some(type, w->y, target + j, lanes, load_some(CK_F32, w->x, pixel + j, lanes));
          }
        }
      }
    }
  }
}

CK_CLONES static void patches_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t item = begin; item < end; item++) {
    if (w->type == CK_F32) {
      patch_rows(w, item, 0, CK_F32);
    } else {
      patch_rows(w, item, 0, CK_BF16);
    }
  }
}

CK_CLONES static void patches_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t item = begin; item < end; item++) {
    if (w->type == CK_F32) {
      patch_rows(w, item, 1, CK_F32);
    } else {
      patch_rows(w, item, 1, CK_BF16);
    }
  }
}

void ck_patches(
    ck_dtype type, const float *x, int64_t batch, int64_t channels, int64_t height, int64_t width,
    int64_t patch, void *y) {
  arguments work = {.type = type, .x = x, .channels = channels, .height = height, .width = width,
                    .kernel = patch, .y = y};
  ck_parallel(batch * (height / patch), batch * channels * height * width, patches_body, &work);
}

void ck_patches_backward(
    ck_dtype type, const void *dy, int64_t batch, int64_t channels, int64_t height, int64_t width,
    int64_t patch, float *dx) {
  arguments work = {.type = type, .x = dy, .channels = channels, .height = height, .width = width,
                    .kernel = patch, .y = dx};
  if (height % patch || width % patch) {
    memset(dx, 0, (size_t)(batch * channels * height * width) * sizeof(float));
  }
  ck_parallel(
      batch * (height / patch), batch * channels * height * width, patches_backward_body, &work);
}

// Items are output rows: item = image · output height + row.
CK_INLINE void pool_row(const arguments *w, int64_t item, ck_dtype type) {
  int64_t k = w->kernel, out_height = w->height / k, out_width = w->width / k;
  int64_t image = item / out_height, row = item % out_height;
  vfloat inverse = splat(1 / (float)(k * k));
  for (int64_t column = 0; column < out_width; column++) {
    for (int64_t c = 0; c < w->channels; c += LANES) {
      int64_t lanes = w->channels - c < LANES ? w->channels - c : LANES;
      vfloat sum = splat(0.f);
      for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < k; j++) {
          int64_t pixel = (image * w->height + row * k + i) * w->width + column * k + j;
          sum += load_some(type, w->x, pixel * w->channels + c, lanes);
        }
      }
      store_some(type, w->y, (item * out_width + column) * w->channels + c, lanes, sum * inverse);
    }
  }
}

CK_INLINE void pool_backward_row(const arguments *w, int64_t item, ck_dtype type) {
  int64_t k = w->kernel, out_height = w->height / k, out_width = w->width / k;
  int64_t image = item / out_height, row = item % out_height;
  vfloat inverse = splat(1 / (float)(k * k));
  for (int64_t column = 0; column < out_width; column++) {
    for (int64_t c = 0; c < w->channels; c += LANES) {
      int64_t lanes = w->channels - c < LANES ? w->channels - c : LANES;
      vfloat dy = load_some(type, w->x, (item * out_width + column) * w->channels + c, lanes);
      for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < k; j++) {
          int64_t pixel = (image * w->height + row * k + i) * w->width + column * k + j;
          store_some(type, w->y, pixel * w->channels + c, lanes, dy * inverse);
        }
      }
    }
  }
}

CK_CLONES static void pool_body(void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t item = begin; item < end; item++) {
    if (w->type == CK_F32) {
      pool_row(w, item, CK_F32);
    } else {
      pool_row(w, item, CK_BF16);
    }
  }
}

CK_CLONES static void pool_backward_body(
    void *context, int64_t begin, int64_t end, int32_t thread) {
  (void)thread;
  const arguments *w = context;
  for (int64_t item = begin; item < end; item++) {
    if (w->type == CK_F32) {
      pool_backward_row(w, item, CK_F32);
    } else {
      pool_backward_row(w, item, CK_BF16);
    }
  }
}

void ck_average_pool(
    ck_dtype type, const void *x, int64_t batch, int64_t height, int64_t width, int64_t channels,
    int64_t kernel, void *y) {
  arguments work = {.type = type, .x = x, .channels = channels, .height = height, .width = width,
                    .kernel = kernel, .y = y};
  ck_parallel(batch * (height / kernel), batch * height * width * channels, pool_body, &work);
}

void ck_average_pool_backward(
    ck_dtype type, const void *dy, int64_t batch, int64_t height, int64_t width, int64_t channels,
    int64_t kernel, void *dx) {
  arguments work = {.type = type, .x = dy, .channels = channels, .height = height, .width = width,
                    .kernel = kernel, .y = dx};
  if (height % kernel || width % kernel) {
    memset(dx, 0, (size_t)(batch * height * width * channels) * (type == CK_F32 ? 4 : 2));
  }
  ck_parallel(
      batch * (height / kernel), batch * height * width * channels, pool_backward_body, &work);
}
