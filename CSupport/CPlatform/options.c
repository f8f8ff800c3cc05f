/* getopt_long, turned into results without any printing of its own. */
#include "CPlatform.h"

#include <getopt.h>
#include <string.h>

/* Results of getopt_long for the options of our table: above every letter. */
enum { FIRST_RESULT = 1000 };

void csplice_options_next(int count, char **argv, const struct csplice_option *table, size_t table_count,
                          int restart, struct csplice_parsed *out)
{
    struct option names[CSPLICE_OPTION_COUNT_MAX + 1];
    char letters[1 + 2 * CSPLICE_OPTION_COUNT_MAX + 1];
    size_t letter_count = 0;
    memset(out, 0, sizeof *out);
    out->index = -1;
    letters[letter_count++] = ':'; /* tells a missing value from an unknown option */
    for (size_t i = 0; i < table_count; i++) {
        names[i] = (struct option){
            .name = table[i].name,
            .has_arg = table[i].takes_value ? required_argument : no_argument,
            .val = FIRST_RESULT + (int)i,
        };
        if (table[i].letter) {
            letters[letter_count++] = (char)table[i].letter;
            if (table[i].takes_value)
                letters[letter_count++] = ':';
        }
    }
    names[table_count] = (struct option){0};
    letters[letter_count] = 0;

    opterr = 0;
    if (restart)
        optind = 0; /* glibc: forget everything of an earlier parse */
    int result = getopt_long(count, argv, letters, names, NULL);
    int subject = result == '?' || result == ':' ? optopt : result;
    if (subject >= FIRST_RESULT) {
        out->index = subject - FIRST_RESULT;
    } else {
        for (size_t i = 0; i < table_count; i++) {
            if (subject > 0 && table[i].letter == subject)
                out->index = (int)i;
        }
    }
    switch (result) {
    case -1:
        out->kind = CSPLICE_PARSED_END;
        break;
    case '?':
    case ':':
        out->kind = result == ':' ? CSPLICE_PARSED_MISSING : CSPLICE_PARSED_UNKNOWN;
        if (optopt > 0 && optopt < FIRST_RESULT)
            out->letter = optopt;
        else if (optind > 0 && optind <= count)
            out->value = (const uint8_t *)argv[optind - 1];
        break;
    default:
        out->kind = CSPLICE_PARSED_OPTION;
        out->value = (const uint8_t *)optarg;
        break;
    }
}

int csplice_options_operands(void)
{
    return optind;
}
