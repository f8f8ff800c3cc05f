// The help texts.

/// The commands by name.
enum CommandName: CaseIterable {
  case put, get, list, stat, remove, verify
  case sessions, kick, drain, partials, reload

  var text: StaticString {
    switch self {
    case .put: "put"
    case .get: "get"
    case .list: "ls"
    case .stat: "stat"
    case .remove: "rm"
    case .verify: "verify"
    case .sessions: "sessions"
    case .kick: "kick"
    case .drain: "drain"
    case .partials: "partials"
    case .reload: "reload"
    }
  }

  var help: StaticString {
    switch self {
    case .put:
      """
      usage: splice put [OPTION]... FILE... splice://HOST[:PORT]/[DIR/|NAME]

      Sends files. A transfer that broke off goes on where the server has it, after both sides
      have proved that they hold the same bytes so far.
        .../DIR/  takes each FILE below DIR; several FILEs need it
        .../NAME  gives FILE that name
      With -r, DIR and DIR/ both arrive as .../DIR/...; DIR/. sends what is in DIR.

        -r, --recursive        send folders, too
            --if-absent        leave files that the server has, and call that success
            --create           fail for files that the server has
            --retry-for SEC    keep trying over a broken link so long (600; 0: try once)
            --limit-rate SIZE  bytes a second at most, like 500KiB (no limit)
            --cache DIR        keep digests of local files in DIR
            --no-cache         keep none, use none
            --json             one JSON object a file on standard output
        -q, --quiet            print errors only
            --help             print this

      """
    case .get:
      """
      usage: splice get [OPTION]... splice://HOST[:PORT]/PATH... [LOCAL]

      Fetches files. A transfer that broke off goes on from NAME.splice-part, after both sides
      have proved that they hold the same bytes so far. All PATHs are on one server.
        LOCAL     left out: the current folder; a folder, or a name with "/" at its end:
                  below it; else the name of the one file or folder that is fetched

        -r, --recursive        fetch folders, too
            --retry-for SEC    keep trying over a broken link so long (600; 0: try once)
            --limit-rate SIZE  bytes a second at most, like 500KiB (no limit)
            --json             one JSON object a file on standard output
        -q, --quiet            print errors only
            --help             print this

      """
    case .list:
      """
      usage: splice ls [-l] [--json] splice://HOST[:PORT]/PATH

      Lists a folder, one name a line, folders with "/" at their end. Names go into a pipe byte
      for byte; on a terminal bytes that would not show are escaped.

        -l, --long             mode, size in bytes, time of change in UTC, name
            --json             one JSON object a name
            --help             print this

      """
    case .stat:
      """
      usage: splice stat [--json] splice://HOST[:PORT]/PATH

      Shows what the server knows about a file or folder.

            --json             as one JSON object
            --help             print this

      """
    case .remove:
      """
      usage: splice rm [-r] splice://HOST[:PORT]/PATH...

      Removes files and empty folders from a server. All PATHs are on one server.

        -r, --recursive        remove folders and what is in them
            --help             print this

      """
    case .verify:
      """
      usage: splice verify [--json] splice://HOST[:PORT]/PATH...

      Has the server read files again and compare them with their digests. All PATHs are on
      one server.

            --json             one JSON object a file
            --help             print this

      """
    case .sessions:
      """
      usage: splice sessions [--watch] [--json] [--control PATH]

      Shows the clients of a daemon on this machine: the number of each, what it does, how far it is.

        -w, --watch            again every two seconds
            --json             one JSON object a client
            --control PATH     the daemon's control socket, or the folder that it serves
                               ($SPLICE_CONTROL, else /run/spliced/control)
            --help             print this

      """
    case .kick:
      """
      usage: splice kick [--control PATH] ID...

      Disconnects clients of a daemon on this machine. What they have sent is kept and can be resumed.

            --control PATH     the daemon's control socket, or the folder that it serves
            --help             print this

      """
    case .drain:
      """
      usage: splice drain [--control PATH]

      Has a daemon on this machine take no new clients and end when the transfers under way are
      through. The second time: what was received is made durable, and the daemon ends now.

            --control PATH     the daemon's control socket, or the folder that it serves
            --help             print this

      """
    case .partials:
      """
      usage: splice partials [--json] [--control PATH]
             splice partials --remove [--control PATH] PATH...

      Shows what is half uploaded at a daemon on this machine: how much, how old, from whom; or
      removes it.

            --remove           remove what is unfinished of these files
            --json             one JSON object a file
            --control PATH     the daemon's control socket, or the folder that it serves
            --help             print this

      """
    case .reload:
      """
      usage: splice reload [--control PATH]

      Has a daemon on this machine read its options again.

            --control PATH     the daemon's control socket, or the folder that it serves
            --help             print this

      """
    }
  }
}

let generalHelp: StaticString = """
  usage: splice COMMAND [OPTION]... ARGUMENT...

  Transfers files so that a broken transfer goes on where it stopped.

    put      send files and folders            splice put FILE... splice://HOST[:PORT]/DIR/
    get      fetch files and folders           splice get splice://HOST[:PORT]/PATH... [LOCAL]
    ls       list a folder                     splice ls [-l] splice://HOST[:PORT]/DIR
    stat     show what is known of a file      splice stat splice://HOST[:PORT]/PATH
    rm       remove files and folders          splice rm [-r] splice://HOST[:PORT]/PATH...
    verify   have files proved on the server   splice verify splice://HOST[:PORT]/PATH...

  For the daemon on this machine, over its control socket:

    sessions who is connected, and what it does    partials what is half done; --remove
    kick     disconnect a client                   drain    end when the transfers are through
    reload   read the options again

  "splice COMMAND --help" shows a command's options, "splice --version" the version.
  The default port is 7420. Paths are taken byte for byte: there is no percent-encoding.
  Exit status: 0 done and verified, 1 failed, 2 wrong usage, 75 gave up but resumable,
  130 interrupted.

  """
