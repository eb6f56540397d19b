package org.edgefacenet.app.bench

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.RadioButton
import android.widget.RadioGroup
import android.widget.TextView
import java.io.File
import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.ui.Screen
import org.edgefacenet.app.ui.part
import org.edgefacenet.app.ui.say
import org.edgefacenet.app.ui.shown

/** The page that measures; [share] and [save] hand a record on, [turning] tells a rotation from leaving. */
class BenchScreen(
    parent: ViewGroup,
    private val presenter: BenchPresenter,
    private val share: (File) -> Unit,
    private val save: (File) -> Unit,
    private val turning: () -> Boolean,
) : Screen {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.screen_bench, parent, false)
    private val models: RadioGroup = view.part(R.id.bench_models)
    private val rows: LinearLayout = view.part(R.id.bench_rows)
    private val start: Button = view.part(R.id.bench_start)
    private val bar: ProgressBar = view.part(R.id.bench_bar)
    private var listed: List<Row>? = null

    init {
        view.part<View>(R.id.bench_share).setOnClickListener { presenter.state.value.record?.let(share) }
        view.part<View>(R.id.bench_save).setOnClickListener { presenter.state.value.record?.let(save) }
    }

    override fun start() {
        presenter.refresh()
        presenter.state.watch(this, ::show)
    }

    override fun stop() {
        presenter.state.leave(this)
        if (!turning()) presenter.leave()
        view.keepScreenOn = false
    }

    private fun show(state: BenchState) {
        val running = state.progress != null
        view.keepScreenOn = running // a dark screen slows the processors
        start.setText(if (running) R.string.bench_stop else R.string.bench_start)
        start.setOnClickListener { if (running) presenter.stop() else presenter.start() }
        choices(state, running)
        view.part<View>(R.id.bench_progress).shown = running
        val percent = (100 * (state.progress ?: 0.0)).toInt()
        bar.progress = percent
        view.part<TextView>(R.id.bench_share_done).say(Words.text(R.string.bench_progress, percent))
        view.part<TextView>(R.id.bench_problem).say(state.problem)
        if (listed !== state.rows) list(state.rows)
        view.part<View>(R.id.bench_record).shown = state.record != null && !running
        view.part<TextView>(R.id.bench_file).say(state.record?.let { Words.text(R.string.bench_record, it.name) })
    }

    private fun choices(state: BenchState, running: Boolean) {
        if (models.childCount != state.models.size) {
            models.removeAllViews()
            state.models.forEachIndexed { number, name ->
                val button = LayoutInflater.from(view.context).inflate(R.layout.radio, models, false) as RadioButton
                button.id = View.generateViewId()
                button.text = name
                button.setOnClickListener { presenter.choose(number) }
                models.addView(button)
            }
        }
        for (number in 0 until models.childCount) {
            val button = models.getChildAt(number) as RadioButton
            button.isEnabled = !running
            if (number == state.chosen && !button.isChecked) button.isChecked = true
        }
    }

    private fun list(next: List<Row>) {
        listed = next
        rows.removeAllViews()
        rows.addView(head())
        next.forEach { rows.addView(line(it)) }
    }

    private fun head(): View = inflate().apply {
        val names = listOf(R.id.bench_lane to R.string.bench_lane, R.id.bench_first to R.string.bench_p50, R.id.bench_second to R.string.bench_p90, R.id.bench_third to R.string.bench_p99)
        for ((cell, name) in names) part<TextView>(cell).apply {
            setText(name)
            setTextColor(context.getColor(R.color.text_quiet))
        }
        part<View>(R.id.bench_status).shown = false
        part<View>(R.id.bench_remarks).shown = false
        isFocusable = false
    }

    private fun line(row: Row): View = inflate().apply {
        part<TextView>(R.id.bench_lane).say(row.title)
        listOf(R.id.bench_first, R.id.bench_second, R.id.bench_third).forEachIndexed { at, cell ->
            part<TextView>(cell).say(row.times?.let { Words.Said(it[at]) })
        }
        part<TextView>(R.id.bench_status).say(row.status)
        val remarks = if (row.times != null && !row.valid) listOf(Words.text(R.string.bench_invalid)) + row.remarks else row.remarks
        val said = Words.Joined(remarks, " · ")
        part<TextView>(R.id.bench_remarks).apply {
            say(said.takeIf { remarks.isNotEmpty() })
            if (!row.valid) setTextColor(context.getColor(R.color.warn))
        }
        contentDescription = describe(row, said)
    }

    private fun describe(row: Row, remarks: Words): String {
        val times = row.times
        val words = if (times != null) Words.text(R.string.bench_row, row.title, times[0], times[1], times[2], remarks) else Words.text(R.string.bench_row_status, row.title, row.status ?: Words.Said(""), remarks)
        return view.resources.say(words)
    }

    private fun inflate(): View = LayoutInflater.from(view.context).inflate(R.layout.row_bench, rows, false)
}
