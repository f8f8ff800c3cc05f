/*
 * What Swift cannot import or express: panics that reach standard error, variadic system calls,
 * structures that glibc hides behind feature macros. Every name starts with csplice_, so that an
 * export list of splice_* can never leak one.
 */
#ifndef SPLICE_CPLATFORM_H
#define SPLICE_CPLATFORM_H

#include <stddef.h>
#include <stdint.h>

/* Writes "splice: internal error: MESSAGE (FILE:LINE)" to standard error and aborts. Any thread. */
_Noreturn void csplice_panic(const char *message, size_t message_count, const char *file, size_t file_count,
                             uint32_t line);

#endif
