/* What the benchmark needs from the system and Swift cannot call itself. */
#ifndef CBENCH_H
#define CBENCH_H

#include <stdint.h>
#include <sys/types.h>

/* Starts a program with these descriptors as 0, 1 and 2; a negative one is /dev/null. `environment`: what is
 * added to ours, NAME=VALUE, ended by NULL. The program is killed when we die. Returns the pid, or -errno. */
pid_t cbench_spawn(
    char *const arguments[], char *const environment[], int input, int output, int error);

/* CPU time of a living process, user and system, in nanoseconds, its ended threads included; -1 when it is
 * gone. */
int64_t cbench_cpu_nanoseconds(pid_t pid);

/* Line by line output, broken pipes as errors, and as many open files as the system allows, for us and all
 * that we start. What root mounts from now on is seen by us and what we start only, and goes with us. To be called
 * before there is a second thread. */
void cbench_begin(void);

/* A pipe that the programs we start do not inherit: ends[0] is for reading. 0 or -errno. */
int cbench_pipe(int ends[2]);

/* Writes back everything that is dirty on the file system of this folder. */
int cbench_sync(const char *folder);

/* A port that nobody used a moment ago, for servers that cannot choose one themselves; -1 on failure. */
int cbench_free_port(void);

#endif
