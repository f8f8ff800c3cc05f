import SpliceUV
final class J: Job { func run() throws(E2) { throw E2() } }
let l = Loop()
do throws(E2) { try l.go(J()) } catch { }
