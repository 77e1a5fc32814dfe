#pragma once
#include <curl/curl.h>
#include <string.h>
#include <time.h>

// libcurl's setters and getters are variadic, which Swift cannot call: one typed wrapper for each kind of argument.

typedef size_t (*cs_data_callback)(char *bytes, size_t size, size_t count, void *context);
typedef int (*cs_send_callback)(void *context, char *remote, char *local, int remote_port, int local_port);
typedef int (*cs_seek_callback)(void *context, curl_off_t offset, int origin);

/// What a write or read callback returns to be called again after curl_easy_pause.
static const size_t cs_pause_write = CURL_WRITEFUNC_PAUSE;
/// What a read callback returns to stop the transfer.
static const size_t cs_abort_read = CURL_READFUNC_ABORT;
static const int cs_send_proceed = CURL_PREREQFUNC_OK;
static const int cs_send_abort = CURL_PREREQFUNC_ABORT;

static const int cs_seek_ok = CURL_SEEKFUNC_OK;
static const int cs_seek_fail = CURL_SEEKFUNC_FAIL;

/// Nanoseconds of the loop's own clock, which only goes forward: for time-outs, as libcurl's own are, never for records.
static inline long long cs_loop_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000LL + now.tv_nsec;
}

// Declared here: _GNU_SOURCE would give this module another fd_set than the system's other modules have.
extern void *memmem(const void *haystack, size_t haystack_size, const void *needle, size_t needle_size);

/// Whether `text` is somewhere in the `size` bytes at `bytes`: an extension of GNU that Swift's Glibc leaves out.
static inline int cs_holds(const void *bytes, size_t size, const char *text) {
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

static inline CURLcode cs_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

static inline CURLcode cs_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cs_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

/// libcurl copies the text; NULL unsets the option.
static inline CURLcode cs_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cs_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cs_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cs_set_data_callback(CURL *easy, CURLoption option, cs_data_callback value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cs_set_send_callback(CURL *easy, cs_send_callback value) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, value);
}

static inline CURLcode cs_set_seek_callback(CURL *easy, cs_seek_callback value) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, value);
}

static inline long cs_get_long(CURL *easy, CURLINFO info) {
    long value = 0;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

static inline curl_off_t cs_get_offset(CURL *easy, CURLINFO info) {
    curl_off_t value = 0;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

static inline void *cs_get_private(CURL *easy) {
    char *value = NULL;
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, &value) == CURLE_OK ? value : NULL;
}

static inline CURLMcode cs_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/// The next transfer that ended, with its result; NULL when there is none.
static inline CURL *cs_multi_next_ended(CURLM *multi, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}
