/* Folders of class folders: see folder.h. Everything is listed and counted
 * first, so that the pixels are allocated once, after the limits.
 */
#include "lib/data/folder.h"

#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/data/image.h"
#include "lib/data/names.h"

#include <limits.h>
#include <string.h>

bool folder_is_class(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct err ignored;
    return file_join(path, sizeof(path), folder, name, &ignored) == ERR_OK &&
           file_is_folder(path);
}

bool folder_is_picture(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct err ignored;
    return (names_ends_with(name, ".png") || names_ends_with(name, ".jpg") ||
            names_ends_with(name, ".jpeg")) &&
           file_join(path, sizeof(path), folder, name, &ignored) == ERR_OK &&
           file_is_regular(path);
}

/* The pictures of each class. */
struct listing {
    const char *path;
    struct names classes;
    struct names *files; /* (classes.n) */
    size_t n;            /* pictures in all */
};

static void free_files(struct listing *l)
{
    for (size_t i = 0; l->files != NULL && i < l->classes.n; i++)
        names_fini(&l->files[i]);
    mem_free(l->files);
    l->files = NULL;
}

static enum err_code list(struct listing *l, size_t max_images, struct err *e)
{
    if (names_list(&l->classes, l->path, folder_is_class, FOLDER_MAX_CLASSES,
                   e) != ERR_OK)
        return e->code;
    l->files = mem_array(l->classes.n, sizeof(*l->files));
    if (l->files == NULL)
        return err_set(e, ERR_NO_MEMORY, "%s: out of memory", l->path);
    for (size_t i = 0; i < l->classes.n; i++) {
        char path[PATH_MAX];
        if (file_join(path, sizeof(path), l->path, l->classes.items[i], e) !=
                ERR_OK ||
            names_list(&l->files[i], path, folder_is_picture, max_images - l->n,
                       e) != ERR_OK)
            return e->code == ERR_TOO_LARGE
                       ? err_set(e, ERR_TOO_LARGE, "%s: more than %zu pictures",
                                 l->path, max_images)
                       : e->code;
        l->n += l->files[i].n;
    }
    if (l->n == 0)
        return err_set(e, ERR_INVALID,
                       "%s: no class folders with .png, .jpg or .jpeg files",
                       l->path);
    return ERR_OK;
}

/* Reads one file; freed by mem_free. */
static char *read_picture(char path[PATH_MAX], const struct listing *l,
                          size_t class, size_t file, size_t *length,
                          struct err *e)
{
    char folder[PATH_MAX];
    if (file_join(folder, sizeof(folder), l->path, l->classes.items[class],
                  e) != ERR_OK ||
        file_join(path, PATH_MAX, folder, l->files[class].items[file], e) !=
            ERR_OK)
        return NULL;
    return file_read(path, FOLDER_MAX_FILE_BYTES, length, e);
}

/* The shape of the first picture. */
static enum err_code probe(struct folder *f, const struct listing *l,
                           struct err *e)
{
    size_t class = 0;
    while (l->files[class].n == 0)
        class ++;
    char path[PATH_MAX];
    size_t length;
    char *bytes = read_picture(path, l, class, 0, &length, e);
    if (bytes == NULL)
        return e->code;
    struct image image;
    enum err_code code = image_probe(&image, bytes, length, e);
    mem_free(bytes);
    if (code != ERR_OK)
        return err_wrap(e, "%s", path);
    f->height = image.height;
    f->width = image.width;
    f->channels = image.channels;
    return ERR_OK;
}

static enum err_code allocate(struct folder *f, size_t n, size_t max_bytes,
                              struct err *e)
{
    size_t bytes;
    if (!mem_mul(f->height, f->width, &bytes) ||
        !mem_mul(bytes, f->channels, &bytes) || !mem_mul(bytes, n, &bytes) ||
        bytes > max_bytes)
        return err_set(e, ERR_TOO_LARGE,
                       "%zu pictures of %zu x %zu x %zu take more than %zu "
                       "bytes",
                       n, f->channels, f->height, f->width, max_bytes);
    f->pixels = mem_raw(bytes);
    f->labels = mem_array(n, sizeof(*f->labels));
    if (f->pixels == NULL || f->labels == NULL)
        return err_set(e, ERR_NO_MEMORY, "no memory for %zu pictures", n);
    return ERR_OK;
}

/* From (height, width, channels) to (channels, height, width). */
static void copy_planes(uint8_t *out, const struct image *image)
{
    size_t n = image->height * image->width;
    for (size_t c = 0; c < image->channels; c++)
        for (size_t i = 0; i < n; i++)
            *out++ = image->pixels[i * image->channels + c];
}

/* Gives *image the folder's shape. */
static enum err_code fit(struct image *image, const struct folder *f,
                         bool resize, struct err *e)
{
    if (image->height == f->height && image->width == f->width)
        return ERR_OK;
    if (!resize)
        return err_set(e, ERR_SHAPE,
                       "picture of %zu x %zu (width x height), the first one "
                       "has %zu x %zu: resize them, or load them for a model "
                       "with an image input",
                       image->width, image->height, f->width, f->height);
    struct image resized;
    enum err_code code = image_resize(&resized, image, f->height, f->width, e);
    image_fini(image);
    *image = resized;
    return code;
}

/* Decodes one file into the next row. */
static enum err_code add_picture(struct folder *f, const struct listing *l,
                                 size_t class, size_t file, bool resize,
                                 struct err *e)
{
    char path[PATH_MAX];
    size_t length;
    char *bytes = read_picture(path, l, class, file, &length, e);
    if (bytes == NULL)
        return e->code;
    struct image image;
    enum err_code code = image_decode(&image, bytes, length, f->channels, e);
    mem_free(bytes);
    if (code == ERR_OK)
        code = fit(&image, f, resize, e);
    if (code == ERR_OK) {
        copy_planes(f->pixels + f->n * f->channels * f->height * f->width,
                    &image);
        f->labels[f->n++] = (int32_t) class;
    }
    image_fini(&image);
    return code == ERR_OK ? ERR_OK : err_wrap(e, "%s", path);
}

static enum err_code load(struct folder *f, struct listing *l,
                          const struct folder_want *want, struct err *e)
{
    const bool resize = want->channels > 0;
    f->height = want->height;
    f->width = want->width;
    f->channels = want->channels;
    if (list(l, want->max_images, e) != ERR_OK ||
        (!resize && probe(f, l, e) != ERR_OK))
        return e->code;
    if (allocate(f, l->n, want->max_bytes, e) != ERR_OK)
        return err_wrap(e, "%s", l->path);
    for (size_t c = 0; c < l->classes.n; c++)
        for (size_t i = 0; i < l->files[c].n; i++)
            if (add_picture(f, l, c, i, resize, e) != ERR_OK)
                return e->code;
    return ERR_OK;
}

enum err_code folder_load(struct folder *out, const char *path,
                          const struct folder_want *want, struct err *e)
{
    *out = (struct folder){0};
    struct listing l = {.path = path};
    enum err_code code = load(out, &l, want, e);
    free_files(&l);
    if (code != ERR_OK) {
        names_fini(&l.classes);
        folder_fini(out);
        return code;
    }
    out->classes = l.classes.items;
    out->n_classes = l.classes.n;
    return ERR_OK;
}

void folder_fini(struct folder *f)
{
    for (size_t i = 0; f->classes != NULL && i < f->n_classes; i++)
        mem_free(f->classes[i]);
    mem_free(f->classes);
    mem_free(f->pixels);
    mem_free(f->labels);
    *f = (struct folder){0};
}
