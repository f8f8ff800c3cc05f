// Sends files to a server, and goes on where it was when it is run again.
//
//   swift run send FILE... splice://HOST[:PORT]/FOLDER/

import Foundation
import Splice

@main struct Send {
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count >= 2, let address = arguments.last else {
      print("usage: send FILE... splice://HOST[:PORT]/FOLDER/")
      exit(2)
    }
    let files = arguments.dropLast().map { SpliceClient.File(SplicePath($0)) }
    do {
      let client = try SpliceClient(address)
      for try await event in client.put(files) {
        switch event {
        case .progress: break
        case .notice(let text): print(text)
        case .finished(let file):
          if let error = file.error {
            print("\(error)")
          } else {
            print("\(file.remote): \(file.total) bytes, \(file.sent) sent, in \(file.duration)")
          }
        }
      }
    } catch {
      print("not everything was sent: \(error)")
      exit(1)
    }
  }
}
