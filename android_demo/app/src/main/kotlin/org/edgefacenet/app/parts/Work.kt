package org.edgefacenet.app.parts

import java.util.concurrent.Executor
import org.edgefacenet.core.EdgeFacenetException

/**
 * Where work is done.
 *
 * @property slow one thread for files and networks, in turn.
 * @property screen the thread of the screen.
 */
class Work(val slow: Executor, val screen: Executor) {
    /** Do [job] on the slow thread and hand what came of it to the screen's. Errors that are no refusals are bugs and crash. */
    fun <T> run(job: () -> T, done: (Outcome<T>) -> Unit): Unit = slow.execute {
        val outcome = Outcome.of(job)
        screen.execute { done(outcome) }
    }
}

/** What came of a job. */
sealed class Outcome<out T> {
    data class Done<T>(val value: T) : Outcome<T>()

    data class Refused(val error: EdgeFacenetException) : Outcome<Nothing>()

    companion object {
        fun <T> of(job: () -> T): Outcome<T> = try {
            Done(job())
        } catch (error: EdgeFacenetException) {
            Refused(error)
        }
    }
}

/** A value that screens watch; changed and watched on the screen's thread alone. */
class Watched<T>(first: T) {
    private val watchers = LinkedHashMap<Any, (T) -> Unit>()

    var value: T = first
        set(next) {
            if (next == field) return
            field = next
            watchers.values.toList().forEach { it(next) }
        }

    /** Call [next] now and at every change, for as long as [owner] does not [leave]. */
    fun watch(owner: Any, next: (T) -> Unit) {
        watchers[owner] = next
        next(value)
    }

    fun leave(owner: Any) {
        watchers.remove(owner)
    }
}
