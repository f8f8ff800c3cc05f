// A client as the deployed programs are one: QTcpSocket and QDataStream of the real Qt, built by QtPairTests.
//
//   qtclient upload HOST PORT LOCAL REMOTE...     LOCAL REMOTE, as often as wanted, over one connection
//   qtclient download HOST PORT LOCAL REMOTE...
//   qtclient break HOST PORT LOCAL REMOTE COUNT   uploads so many bytes and is gone
//
// Prints a line for each file: "REMOTE stored POSITION", "REMOTE there", "REMOTE received POSITION" or
// "REMOTE failed STATUS". It opens its own file as the original does, which cuts it: a server that sends only the
// rest makes it lose the beginning.
#include <QCoreApplication>
#include <QCryptographicHash>
#include <QDataStream>
#include <QFile>
#include <QMap>
#include <QTcpSocket>
#include <QTextStream>
#include <QVariant>

using Message = QMap<QString, QVariant>;

static QTextStream out(stdout);

static bool ask(QTcpSocket &socket, qint64 id, const Message &message)
{
    QByteArray bytes;
    QDataStream stream(&bytes, QIODevice::WriteOnly);
    stream << id << message;
    return socket.write(bytes) == bytes.size() && socket.flush();
}

static bool hear(QTcpSocket &socket, qint64 wanted, Message &message)
{
    QDataStream stream(&socket);
    while (true) {
        qint64 id = 0;
        stream.startTransaction();
        stream >> id >> message;
        if (stream.commitTransaction())
            return id == wanted;
        if (!socket.waitForReadyRead(60000))
            return false;
    }
}

static int status(const Message &message)
{
    return message.contains("reply_status") ? message.value("reply_status").toInt() : -6;
}

static QString md5(QFile &file, qint64 count)
{
    QCryptographicHash hash(QCryptographicHash::Md5);
    file.seek(0);
    hash.addData(file.read(count));
    return QString::fromLatin1(hash.result().toHex());
}

static bool fail(const QString &remote, int status)
{
    out << remote << " failed " << status << "\n";
    return false;
}

static bool upload(QTcpSocket &socket, const QString &local, const QString &remote, qint64 most)
{
    QFile file(local);
    if (!file.open(QIODevice::ReadOnly))
        return fail(remote, -2);
    Message reply;
    if (!ask(socket, 100, {{"file_prjpath", remote}}) || !hear(socket, 100, reply) || status(reply) != 0)
        return fail(remote, status(reply));
    qint64 position = reply.value("file_pos").toInt();
    if (position > file.size() || (position > 0 && md5(file, position) != reply.value("file_md5").toString()))
        position = 0;
    if (position == file.size()) {
        out << remote << " there\n";
        return true;
    }
    file.seek(position);
    if (!ask(socket, 101, {{"file_pos", position}, {"file_size", file.size() - position}}) || !hear(socket, 101, reply)
        || status(reply) != 0)
        return fail(remote, status(reply));
    while (!file.atEnd() && (most < 0 || file.pos() - position < most)) {
        QByteArray chunk = file.read(most < 0 ? 65536 : qMin<qint64>(65536, most - (file.pos() - position)));
        if (socket.write(chunk) != chunk.size())
            return fail(remote, -8);
        while (socket.bytesToWrite() > 0)
            if (!socket.waitForBytesWritten(60000))
                return fail(remote, -8);
    }
    if (most >= 0)
        return true;
    if (!hear(socket, 103, reply) || status(reply) != 0)
        return fail(remote, status(reply));
    out << remote << " stored " << position << "\n";
    return true;
}

static bool download(QTcpSocket &socket, const QString &local, const QString &remote)
{
    QFile file(local);
    QString digest;
    qint64 held = 0;
    if (file.open(QIODevice::ReadOnly)) {
        held = file.size();
        digest = md5(file, held);
        file.close();
    }
    Message reply;
    if (!ask(socket, 200, {{"file_prjpath", remote}, {"file_pos", held}, {"file_md5", digest}})
        || !hear(socket, 200, reply) || status(reply) != 0)
        return fail(remote, status(reply));
    qint64 position = reply.value("file_pos").toInt();
    qint64 left = reply.value("file_size").toInt();
    if (left == 0) {
        out << remote << " there\n";
        return true;
    }
    if (!file.open(QIODevice::WriteOnly) || !file.seek(position) || !ask(socket, 202, {{"reply_status", qint64(0)}}))
        return fail(remote, -2);
    while (left > 0) {
        if (socket.bytesAvailable() == 0 && !socket.waitForReadyRead(60000))
            return fail(remote, -10);
        QByteArray chunk = socket.read(left);
        left -= chunk.size();
        file.write(chunk);
    }
    file.close();
    if (!ask(socket, 203, {{"reply_status", qint64(0)}}) || !hear(socket, 203, reply) || status(reply) != 0)
        return fail(remote, status(reply));
    out << remote << " received " << position << "\n";
    return true;
}

int main(int argc, char **argv)
{
    QCoreApplication application(argc, argv);
    QStringList words = application.arguments();
    if (words.size() < 6)
        return 2;
    QTcpSocket socket;
    socket.connectToHost(words[2], quint16(words[3].toUInt()));
    if (!socket.waitForConnected(60000))
        return 1;
    if (words[1] == "break")
        return upload(socket, words[4], words[5], words[6].toLongLong()) ? 0 : 1;
    bool good = true;
    for (int i = 4; i + 1 < words.size(); i += 2)
        good = (words[1] == "upload" ? upload(socket, words[i], words[i + 1], -1)
                                     : download(socket, words[i], words[i + 1])) && good;
    return good ? 0 : 1;
}
