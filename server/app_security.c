/* App: who may connect, and who may do what. */
#include "server/app_parts.h"

/* An empty text is no name: so an image's setting can be taken back. */
static const char *name_of(const char *text)
{
    return text != NULL && text[0] != 0 ? text : NULL;
}

static struct tls_files tls_files(const struct config *c)
{
    return (struct tls_files){
        .cert = name_of(c->tls_cert),
        .key = name_of(c->tls_key),
        .client_ca = name_of(c->tls_client_ca),
    };
}

static enum err_code check_files(const struct tls_files *f, struct err *e)
{
    if ((f->cert == NULL) != (f->key == NULL))
        return err_set(e, ERR_INVALID,
                       "--tls-cert and --tls-key belong together");
    if (f->client_ca != NULL && f->cert == NULL)
        return err_set(e, ERR_INVALID, "--tls-client-ca needs --tls-cert");
    return ERR_OK;
}

enum err_code app_start_tls(struct app *app, struct err *e)
{
    const struct tls_files files = tls_files(app->config);

    if (check_files(&files, e) != ERR_OK)
        return e->code;
    if (files.cert == NULL)
        return ERR_OK;
    app->tls = tls_new(&files, e);
    return app->tls != NULL ? ERR_OK : err_wrap(e, "--tls-cert");
}

enum err_code app_reload_tls(struct app *app, const struct config *c,
                             struct err *e)
{
    const struct tls_files files = tls_files(c);

    return app->tls == NULL ? ERR_OK : tls_reload(app->tls, &files, e);
}

static struct guard_settings guard_settings(const struct app *app,
                                            const struct config *c)
{
    return (struct guard_settings){
        .tokens = name_of(c->tokens),
        .first_token = name_of(c->first_token),
        .anonymous = name_of(c->anonymous),
        .rate = c->rate,
        .rate_burst = c->rate_burst,
        .loopback = listener_is_loopback(app->listener),
    };
}

enum err_code app_start_guard(struct app *app, struct err *e)
{
    const struct guard_settings s = guard_settings(app, app->config);

    app->guard = guard_open(&app->api, &s, e);
    return app->guard != NULL ? ERR_OK : e->code;
}

enum err_code app_reload_guard(struct app *app, const struct config *c,
                               struct err *e)
{
    const struct guard_settings s = guard_settings(app, c);

    return guard_reload(app->guard, &s, e);
}
