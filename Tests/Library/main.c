/* Runs every test of the library in a folder of its own: tests FOLDER [NAME]. */
#include "check.h"

const char *work_folder;

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"errors_of_servers", test_errors_of_servers},
    {"errors_of_transfers", test_errors_of_transfers},
    {"options_of_other_versions", test_options_of_other_versions},
    {"files_go_and_come", test_files_go_and_come},
    {"cancelled_put_goes_on", test_cancelled_put_goes_on},
    {"cancelled_get_goes_on", test_cancelled_get_goes_on},
    {"states_of_transfers", test_states_of_transfers},
    {"events_in_order", test_events_in_order},
    {"kick", test_kick},
    {"list_and_limit", test_list_and_limit},
    {"states_of_servers", test_states_of_servers},
    {"attached_to_a_loop", test_attached_to_a_loop},
};

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    work_folder = argv[1];
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (argc > 2 && strcmp(argv[2], tests[i].name) != 0)
            continue;
        tests[i].run();
        printf("ok %s\n", tests[i].name);
        fflush(stdout);
    }
    return 0;
}
